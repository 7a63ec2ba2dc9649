import type { CheckUserRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import type { UsersDeps } from '../deps.ts';
import { displayName, plainProfile } from '../domain/user.ts';
import { findAccount } from '../store/account-repository.ts';

/** Part of every order: one query by primary key. */
export const checkUser =
  (deps: UsersDeps) =>
  async (ctx: Context, { userId }: CheckUserRequest) => {
    const account = await findAccount(deps.db.at(ctx), userId);
    if (account?.status !== 'ACTIVE') return { active: false };
    const profile = plainProfile(account.profile);
    return {
      active: true,
      email: account.email ?? '',
      locale: profile.locale,
      displayName: displayName(profile, account.username ?? ''),
    };
  };
