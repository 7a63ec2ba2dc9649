import type { GetContactRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import type { UsersDeps } from '../deps.ts';
import { displayName, plainPreferences, plainProfile } from '../domain/user.ts';
import { userErrors } from '../errors.ts';
import { findAccount } from '../store/account-repository.ts';

export const getContact =
  (deps: UsersDeps) =>
  async (ctx: Context, { userId }: GetContactRequest) => {
    const account = await findAccount(deps.db.at(ctx), userId);
    if (account?.status !== 'ACTIVE') throw userErrors.NOT_FOUND({ id: userId });
    const profile = plainProfile(account.profile);
    return {
      userId,
      email: account.email ?? '',
      phone: profile.phone,
      locale: profile.locale,
      displayName: displayName(profile, account.username ?? ''),
      marketing: plainPreferences(account.preferences).marketing,
    };
  };
