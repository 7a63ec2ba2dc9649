import { userErrors } from '../errors.ts';
import { COMMON_PASSWORDS } from './common-passwords.ts';
import { foldKey } from './identity.ts';

/**
 * Refuses what is guessed first. Length is the contract's affair; there are no rules of composition.
 *
 * @param names What the account is called: e-mail address, user name.
 * @throws USERS_PASSWORD_COMMON, USERS_PASSWORD_PERSONAL
 */
export function checkPassword(password: string, names: readonly string[]): void {
  const key = foldKey(password);
  if (COMMON_PASSWORDS.has(key)) throw userErrors.PASSWORD_COMMON({}, pointed('must not be a common password'));
  if (names.some((name) => foldKey(name) === key))
    throw userErrors.PASSWORD_PERSONAL({}, pointed('must be neither the e-mail address nor the user name'));
}

const pointed = (detail: string) => ({ violations: [{ pointer: '/password', detail }] });
