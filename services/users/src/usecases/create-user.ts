import type { CreateUserRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { userMessage } from '../api/user-message.ts';
import type { UsersDeps } from '../deps.ts';
import { plainProfile } from '../domain/user.ts';
import { openAccount } from './open-account.ts';

/** Opens the account of a customer. */
export const createUser = (deps: UsersDeps) => async (ctx: Context, request: CreateUserRequest) => {
  const { email, username, password } = request;
  const profile = plainProfile(request.profile);
  return userMessage(await openAccount(deps, ctx, { email, username, password, profile, roles: ['customer'] }));
};
