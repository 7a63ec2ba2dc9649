import type { EnsureAdminRequest } from '@souk/contracts/users/v1/users';
import { type Context, hasReason } from '@souk/kernel';
import type { UsersDeps } from '../deps.ts';
import { tidyEmail } from '../domain/identity.ts';
import { plainProfile } from '../domain/user.ts';
import { userErrors } from '../errors.ts';
import { findByEmail } from '../store/account-repository.ts';
import { openAccount } from './open-account.ts';

/**
 * Opens the account of an administrator, once. An account that is there is never changed: neither its password nor its roles.
 *
 * @throws USERS_NOT_AN_ADMIN when the address belongs to somebody else
 */
export const ensureAdmin = (deps: UsersDeps) => async (ctx: Context, request: EnsureAdminRequest) => {
  const { email, password } = request;
  const known = await knownAdmin(deps, ctx, email);
  if (known !== undefined) return known;
  try {
    const roles = ['customer', 'admin'];
    const { id } = await openAccount(deps, ctx, {
      email,
      username: '',
      password,
      profile: plainProfile(undefined),
      roles,
    });
    return { created: true, userId: id };
  } catch (error) {
    // Another instance was faster.
    const other = hasReason(error, 'USERS_EMAIL_TAKEN') ? await knownAdmin(deps, ctx, email) : undefined;
    if (other === undefined) throw error;
    return other;
  }
};

async function knownAdmin(deps: UsersDeps, ctx: Context, email: string) {
  const account = await findByEmail(deps.db.at(ctx), tidyEmail(email));
  if (account === undefined) return undefined;
  if (!account.roles.includes('admin')) throw userErrors.NOT_AN_ADMIN();
  return { created: false, userId: account.id };
}
