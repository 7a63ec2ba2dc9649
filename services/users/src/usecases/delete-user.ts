import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { UserDeletedSchema } from '@souk/contracts/users/v1/events';
import type { DeleteUserRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { checkEtag } from '@souk/service';
import type { UsersDeps } from '../deps.ts';
import { userErrors } from '../errors.ts';
import { closeAccount, lockAccount } from '../store/account-repository.ts';

/** Closes an account and erases the person. Of an account that is closed already it says so again: the first answer may be lost. */
export const deleteUser = (deps: UsersDeps) => async (ctx: Context, request: DeleteUserRequest) =>
  deps.db.tx(ctx, async (tx) => {
    const { id, etag } = request;
    const account = await lockAccount(tx, id);
    if (account === undefined) throw userErrors.NOT_FOUND({ id });
    if (account.status === 'DELETED') return {};
    checkEtag(etag, account.version);
    const now = new Date(deps.runtime.clock.now());
    await closeAccount(tx, id, now);
    await deps.events.publish(tx, UserDeletedSchema, { userId: id, at: timestampFromDate(now) });
    tx.afterCommit(() => deps.count('user_deleted'));
    return {};
  });
