/*
 * Which key signs, which keys are shown, and when the next one is due.
 *
 *   published --signsFrom--> signing --next key's signsFrom--> verifying --accessTokenTtl later--> retired
 *
 * R1 at every instant at most one key signs: the newest whose time has come.  R2 a key is shown for at least `aheadMs` before it signs, except
 * the very first.  R3 a key is shown for as long as a token it signed can be good.
 */

/** Milliseconds since the epoch. */
export interface KeyTime {
  readonly generation: number;
  readonly signsFrom: number;
}

export interface KeyPolicy {
  /** Milliseconds that a key signs. */
  readonly keyRotation: number;
  /** Milliseconds that a token is good. */
  readonly accessTokenTtl: number;
}

/** Clocks of two instances, or of a verifier, may differ by this much. */
const SKEW_MS = 60_000;

/** How long a key is shown before it signs: whoever keeps the key set for as long as a token lives knows it in time. */
export const aheadMs = ({ accessTokenTtl }: KeyPolicy): number => accessTokenTtl + SKEW_MS;

/** The key that signs now. @param keys Oldest first. */
export const signingKey = <T extends KeyTime>(keys: readonly T[], now: number): T | undefined =>
  keys.findLast(({ signsFrom }) => signsFrom <= now);

/** Keys that a verifier needs, oldest first. @param keys Oldest first. */
export function shownKeys<T extends KeyTime>(keys: readonly T[], policy: KeyPolicy, now: number): T[] {
  return keys.filter((_, index) => {
    const next = keys[index + 1];
    return next === undefined || next.signsFrom + policy.accessTokenTtl + SKEW_MS > now;
  });
}

/** The time of a key that has to be made now, if any. @param keys Oldest first. */
export function dueKey(keys: readonly KeyTime[], policy: KeyPolicy, now: number): KeyTime | undefined {
  const newest = keys.at(-1);
  if (newest === undefined) return { generation: 1, signsFrom: now };
  const ahead = aheadMs(policy);
  if (newest.signsFrom + policy.keyRotation - ahead > now) return undefined;
  return { generation: newest.generation + 1, signsFrom: now + ahead };
}
