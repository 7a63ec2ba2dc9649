import { isDeepStrictEqual } from 'node:util';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { UserUpdatedSchema } from '@souk/contracts/users/v1/events';
import type { UpdateUserRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { checkEtag } from '@souk/service';
import { userMessage } from '../api/user-message.ts';
import type { UsersDeps } from '../deps.ts';
import { tidyEmail, tidyUsername } from '../domain/identity.ts';
import { checkTimeZone, plainPreferences, plainProfile } from '../domain/user.ts';
import { userErrors } from '../errors.ts';
import { type Account, type AccountData, lockAccount, updateAccount } from '../store/account-repository.ts';

/** Changes what was sent. A change that is there already is no change, whatever version its sender has seen: it may be a repeat. */
export const updateUser = (deps: UsersDeps) => async (ctx: Context, request: UpdateUserRequest) => {
  const { id } = request;
  checkTimeZone(request.preferences?.timeZone ?? '');
  return deps.db.tx(ctx, async (tx) => {
    const account = await lockAccount(tx, id);
    if (account?.status !== 'ACTIVE') throw userErrors.NOT_FOUND({ id });
    const before = dataOf(account);
    const after = change(before, request);
    if (isDeepStrictEqual(before, after)) return userMessage(account);
    checkEtag(request.etag, account.version);
    const now = new Date(deps.runtime.clock.now());
    const updated = await updateAccount(tx, id, after, now);
    const { version } = updated;
    await deps.events.publish(tx, UserUpdatedSchema, { userId: id, version, at: timestampFromDate(now) });
    return userMessage(updated);
  });
};

const dataOf = ({ email, username, profile, preferences }: Account): AccountData => ({
  email: email ?? '',
  username: username ?? '',
  profile: plainProfile(profile),
  preferences: plainPreferences(preferences),
});

const change = (before: AccountData, { email, username, profile, preferences }: UpdateUserRequest): AccountData => ({
  email: email === '' ? before.email : tidyEmail(email),
  username: username === '' ? before.username : tidyUsername(username),
  profile: profile === undefined ? before.profile : plainProfile(profile),
  preferences: preferences === undefined ? before.preferences : plainPreferences(preferences),
});
