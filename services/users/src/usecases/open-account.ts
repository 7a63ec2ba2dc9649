import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { UserRegisteredSchema } from '@souk/contracts/users/v1/events';
import type { Context } from '@souk/kernel';
import type { UsersDeps } from '../deps.ts';
import { tidyEmail, tidyUsername } from '../domain/identity.ts';
import { checkPassword } from '../domain/password.ts';
import { madeUpUsername, NO_PREFERENCES, type Profile } from '../domain/user.ts';
import { type Account, insertAccount } from '../store/account-repository.ts';

export interface NewAccount {
  readonly email: string;
  /** Empty: one is made up. */
  readonly username: string;
  readonly password: string;
  readonly profile: Profile;
  readonly roles: readonly string[];
}

/** @throws USERS_EMAIL_TAKEN, USERS_USERNAME_TAKEN, USERS_USERNAME_INVALID, USERS_PASSWORD_COMMON, USERS_PASSWORD_PERSONAL */
export async function openAccount(deps: UsersDeps, ctx: Context, wanted: NewAccount): Promise<Account> {
  const { password, profile, roles } = wanted;
  const id = deps.runtime.ids.next('usr');
  const email = tidyEmail(wanted.email);
  const username = wanted.username === '' ? madeUpUsername(id) : tidyUsername(wanted.username);
  checkPassword(password, [email, username]);
  // Before the transaction: a connection is not held for as long as a hash takes.
  const passwordHash = await deps.parts.passwords.hash(password);
  return deps.db.tx(ctx, async (tx) => {
    const now = new Date(deps.runtime.clock.now());
    const account = { id, email, username, profile, preferences: NO_PREFERENCES, roles, passwordHash };
    const opened = await insertAccount(tx, account, now);
    await deps.events.publish(tx, UserRegisteredSchema, { userId: id, at: timestampFromDate(now) });
    tx.afterCommit(() => deps.count('user_registered'));
    return opened;
  });
}
