import type { GetUserRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { userMessage } from '../api/user-message.ts';
import type { UsersDeps } from '../deps.ts';
import { userErrors } from '../errors.ts';
import { findAccount } from '../store/account-repository.ts';

/** A closed account looks like none. */
export const getUser =
  (deps: UsersDeps) =>
  async (ctx: Context, { id }: GetUserRequest) => {
    const account = await findAccount(deps.db.at(ctx), id);
    if (account?.status !== 'ACTIVE') throw userErrors.NOT_FOUND({ id });
    return userMessage(account);
  };
