import { userErrors } from '../errors.ts';

/**
 * The key under which a name is unique: two names that look alike or differ in case only have the same key. NFKC and full case folding
 * (each code point on its own, so that the end of a word folds like its middle).
 */
export function foldKey(name: string): string {
  const folded = Array.from(name.normalize('NFKC'), foldCodePoint).join('');
  return folded.normalize('NFKC');
}

/** The dotless i has a capital that is also the capital of i, yet it is another letter. */
const foldCodePoint = (char: string): string => (char === 'ı' ? char : char.toLowerCase().toUpperCase().toLowerCase());

/** An e-mail address as it is kept and written to: NFC, the domain in lower case, the local part as given. */
export function tidyEmail(email: string): string {
  const text = email.normalize('NFC');
  const at = text.lastIndexOf('@');
  return `${text.slice(0, at)}${text.slice(at).toLowerCase()}`;
}

/**
 * A user name as it is kept. Without @, so that what is typed at sign-in is either a name or an address, never both.
 *
 * @throws USERS_USERNAME_INVALID
 */
export function tidyUsername(username: string): string {
  const text = username.normalize('NFC');
  if (text.trim() !== text || foldKey(text).includes('@')) {
    throw userErrors.USERNAME_INVALID(
      {},
      { violations: [{ pointer: '/username', detail: 'must not hold @ or begin or end with a space' }] },
    );
  }
  return text;
}

/** Whether what somebody signs in with is an address rather than a user name. */
export const isEmailKey = (key: string): boolean => key.includes('@');
