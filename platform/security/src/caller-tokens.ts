import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Caller, Runtime } from '@souk/kernel';
import { callerTokenErrors } from './errors.ts';

/** Tells another process of the same system who calls, and on whose behalf. Made and read with a key that only its processes know. */
export interface CallerTokens {
  sign(caller: Caller): string;
  /** @throws CALLER_TOKEN_INVALID, CALLER_TOKEN_EXPIRED */
  verify(token: string): Caller;
}

export interface CallerTokensInit {
  /** At least 16 characters, the same in every process. @throws CALLER_TOKEN_KEY_TOO_SHORT */
  readonly key: string;
  readonly runtime: Pick<Runtime, 'clock'>;
}

/** How long a token is good, in milliseconds: more than clocks differ, less than it takes to make use of one that was found. */
const LIFE_MS = 120_000;
/** A token that is kept is sent again as long as this, so that what arrives has half of its life left. */
const REUSE_MS = 60_000;
/** How far ahead the clock of another machine may be, in milliseconds. */
const SKEW_MS = 30_000;
/** Tokens that are kept in each direction: a session's calls share one. */
const KEPT = 2048;
const SHORTEST_KEY = 16;
const LONGEST_TOKEN = 2048;

type Claims = readonly [expiresAtMs: number, service: string, userId: string, roles: readonly string[]];

/**
 * HMAC-SHA256 over expiry, service, user and roles. Says who calls as long as the key is secret and the network is: a token that somebody
 * reads on the way is good for two minutes.
 */
export function createCallerTokens({ key, runtime }: CallerTokensInit): CallerTokens {
  if (key.length < SHORTEST_KEY) throw callerTokenErrors.KEY_TOO_SHORT({ min: SHORTEST_KEY });
  const { clock } = runtime;
  // A key of its own, so that the same secret can serve other ends.
  const own = createHmac('sha256', key).update('souk caller token v1').digest();
  const mac = (body: string): Buffer => createHmac('sha256', own).update(body).digest();
  const signed = new Map<string, { readonly token: string; readonly untilMs: number }>();
  const verified = new Map<string, { readonly caller: Caller; readonly expiresAtMs: number }>();

  return {
    sign: ({ service = '', userId = '', roles }) => {
      const now = clock.now();
      const id = JSON.stringify([service, userId, roles]);
      const kept = signed.get(id);
      if (kept !== undefined && now < kept.untilMs && now >= kept.untilMs - REUSE_MS) return kept.token;
      const claims: Claims = [now + LIFE_MS, service, userId, roles];
      const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
      const token = `${body}.${mac(body).toString('base64url')}`;
      keep(signed, id, { token, untilMs: now + REUSE_MS });
      return token;
    },
    verify: (token) => {
      const now = clock.now();
      const kept = verified.get(token);
      const { caller, expiresAtMs } = kept ?? open(token, mac);
      if (now > expiresAtMs || now < expiresAtMs - LIFE_MS - SKEW_MS) throw callerTokenErrors.EXPIRED();
      if (kept === undefined) keep(verified, token, { caller, expiresAtMs });
      return caller;
    },
  };
}

function open(token: string, mac: (body: string) => Buffer): { caller: Caller; expiresAtMs: number } {
  const dot = token.indexOf('.');
  if (dot < 1 || token.length > LONGEST_TOKEN) throw callerTokenErrors.INVALID();
  const body = token.slice(0, dot);
  const given = Buffer.from(token.slice(dot + 1), 'base64url');
  const wanted = mac(body);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw callerTokenErrors.INVALID();
  // Signed by one of us: it is what `sign` made.
  const [expiresAtMs, service, userId, roles] = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims;
  const caller: Caller = Object.freeze({
    roles: Object.freeze(roles),
    ...(service !== '' && { service }),
    ...(userId !== '' && { userId }),
  });
  return { caller, expiresAtMs };
}

/** Forgets the oldest when there are too many. */
function keep<T>(map: Map<string, T>, id: string, value: T): void {
  map.delete(id);
  if (map.size >= KEPT) map.delete(map.keys().next().value as string);
  map.set(id, value);
}
