import { userErrors } from '../errors.ts';

/** Who a user is. */
export interface Profile {
  readonly firstName: string;
  readonly lastName: string;
  readonly locale: string;
  readonly phone: string;
}

/** What a user likes. */
export interface Preferences {
  readonly currency: string;
  readonly timeZone: string;
  readonly marketing: boolean;
}

/** Exactly the parts of a profile; what is missing is empty. */
export const plainProfile = (given: Partial<Profile> | undefined): Profile => {
  const { firstName = '', lastName = '', locale = '', phone = '' } = given ?? {};
  return { firstName: firstName.normalize('NFC'), lastName: lastName.normalize('NFC'), locale, phone };
};

export const plainPreferences = (given: Partial<Preferences>): Preferences => {
  const { currency = '', timeZone = '', marketing = false } = given;
  return { currency, timeZone, marketing };
};

export const NO_PREFERENCES: Preferences = Object.freeze(plainPreferences({}));

/** How to greet a user. */
export const displayName = (profile: Profile, username: string): string =>
  [profile.firstName, profile.lastName].filter((part) => part !== '').join(' ') || username;

/** A name for who chose none: the random end of the id, which tells nothing of the person. */
export const madeUpUsername = (id: string): string => `user-${id.slice(-12)}`;

/** @throws USERS_TIME_ZONE_UNKNOWN */
export function checkTimeZone(timeZone: string): void {
  if (timeZone === '') return;
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch (cause) {
    const violations = [{ pointer: '/preferences/timeZone', detail: 'must be an IANA time zone' }];
    throw userErrors.TIME_ZONE_UNKNOWN({}, { violations, cause });
  }
}
