import { type Logger, type Runtime, silentLogger } from '@souk/kernel';
import { decodeProtectedHeader, type JWTPayload, errors as joseErrors, jwtVerify } from 'jose';
import { sha256 } from './digest.ts';
import { tokenErrors } from './errors.ts';
import { createKeyCache } from './key-cache.ts';
import { ALGORITHM, type PublicJwk } from './signing-key.ts';
import { TOKEN_TYPE } from './token-issuer.ts';

export interface TokenVerifierOptions {
  readonly runtime: Runtime;
  /** Hears of keys that cannot be fetched. */
  readonly log?: Logger;
  readonly issuer: string;
  readonly audience: string;
  /** Fetches the issuer's public keys. */
  readonly fetchKeys: () => Promise<readonly PublicJwk[]>;
  /** Milliseconds after which keys are fetched again. @default 300000 */
  readonly keysMaxAgeMs?: number;
  /** Oldest token accepted, in milliseconds, whatever it says of itself. @default 900000 */
  readonly maxAgeMs?: number;
}

/** Whom a good token is about. */
export interface Identity {
  readonly userId: string;
  readonly roles: readonly string[];
  readonly tokenId: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

export interface TokenVerifier {
  /**
   * Accepts an access token that the issuer signed with ES256 for this audience.
   * @throws TOKEN_EXPIRED, TOKEN_INVALID, TOKEN_KEYS_UNAVAILABLE
   */
  verify(token: string): Promise<Identity>;
}

const KEYS_MAX_AGE_MS = 300_000;
const KEYS_COOLDOWN_MS = 30_000;
const MAX_AGE_MS = 900_000;
const CLOCK_TOLERANCE_S = 5;
const LONGEST_TOKEN = 8192;
const KID = /^[A-Za-z0-9_-]{1,64}$/;
/** Headers that would let a token bring its own key or its own rules. */
const FORBIDDEN_HEADERS = ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c'] as const;
const REQUIRED_CLAIMS = ['sub', 'jti', 'iat', 'exp'];
/** Checking a signature costs more than all else of a small request: a good token is remembered for a moment. */
const REMEMBER_MS = 30_000;
const REMEMBER_MOST = 10_000;

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { runtime, issuer, audience } = options;
  const keys = createKeyCache({
    runtime,
    log: options.log ?? silentLogger,
    fetchKeys: options.fetchKeys,
    maxAgeMs: options.keysMaxAgeMs ?? KEYS_MAX_AGE_MS,
    cooldownMs: KEYS_COOLDOWN_MS,
  });
  const remembered = new Map<string, { readonly identity: Identity; readonly untilMs: number }>();
  const maxTokenAge = Math.floor((options.maxAgeMs ?? MAX_AGE_MS) / 1000);

  const check = async (token: string): Promise<Identity> => {
    const key = await keys.get(readKid(token));
    if (key === undefined) throw tokenErrors.INVALID();
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        issuer,
        audience,
        typ: TOKEN_TYPE,
        requiredClaims: REQUIRED_CLAIMS,
        clockTolerance: CLOCK_TOLERANCE_S,
        maxTokenAge,
        currentDate: new Date(runtime.clock.now()),
      });
      return toIdentity(payload);
    } catch (error) {
      // Without the cause: the library's errors carry the claims.
      throw error instanceof joseErrors.JWTExpired ? tokenErrors.EXPIRED() : tokenErrors.INVALID();
    }
  };

  return {
    verify: async (token) => {
      if (token.length > LONGEST_TOKEN) throw tokenErrors.INVALID();
      // By hash: a dump of the memory shows no token that is good.
      const hash = sha256(token);
      const nowMs = runtime.clock.now();
      const known = remembered.get(hash);
      if (known !== undefined && nowMs < known.untilMs) return known.identity;
      const identity = await check(token);
      if (remembered.size >= REMEMBER_MOST) remembered.delete(remembered.keys().next().value as string);
      remembered.set(hash, { identity, untilMs: Math.min(identity.expiresAtMs, nowMs + REMEMBER_MS) });
      return identity;
    },
  };
}

/** @throws TOKEN_INVALID unless the header is one that our issuer writes */
function readKid(token: string): string {
  try {
    const header = decodeProtectedHeader(token);
    const isPlain = FORBIDDEN_HEADERS.every((name) => header[name] === undefined);
    if (isPlain && header.alg === ALGORITHM && header.kid !== undefined && KID.test(header.kid)) return header.kid;
  } catch {
    // Not a token at all: refused like any other that is not good.
  }
  throw tokenErrors.INVALID();
}

function toIdentity({ sub, jti, exp, roles }: JWTPayload): Identity {
  const isGood = sub && jti && exp && Array.isArray(roles) && roles.every((role) => typeof role === 'string');
  if (!isGood) throw tokenErrors.INVALID();
  return Object.freeze({ userId: sub, roles: Object.freeze([...roles]), tokenId: jti, expiresAtMs: exp * 1000 });
}
