import type { Runtime } from '@souk/kernel';
import { importJWK, SignJWT } from 'jose';
import { tokenErrors } from './errors.ts';
import { ALGORITHM, type PublicJwk, publicJwk, type SigningKey } from './signing-key.ts';

export interface TokenIssuerOptions {
  readonly runtime: Runtime;
  /** `iss`: who vouches for the token. */
  readonly issuer: string;
  /** `aud`: for whom it is. */
  readonly audience: string;
  /**
   * Every key that is published; the first signs. To rotate, publish the new key behind the old one for as long as verifiers cache
   * keys, then put it first, and drop the old one when its last token has expired.
   */
  readonly keys: () => readonly SigningKey[];
  /** Milliseconds a token lives. @default 900000 */
  readonly lifetimeMs?: number;
}

/** Whom a token is about. */
export interface TokenSubject {
  readonly userId: string;
  readonly roles: readonly string[];
}

export interface TokenIssuer {
  /** Signs an access token (RFC 9068). @throws TOKEN_NO_KEY */
  issue(subject: TokenSubject): Promise<{ readonly accessToken: string /** Seconds. */; readonly expiresIn: number }>;
  /** What verifiers need. */
  publicKeys(): readonly PublicJwk[];
}

const LIFETIME_MS = 900_000;
export const TOKEN_TYPE = 'at+jwt';

export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { clock, ids } = options.runtime;
  const expiresIn = Math.floor((options.lifetimeMs ?? LIFETIME_MS) / 1000);
  const imported = new WeakMap<SigningKey, ReturnType<typeof importJWK>>();

  const importKey = (key: SigningKey): ReturnType<typeof importJWK> => {
    const known = imported.get(key) ?? importJWK(key.jwk, ALGORITHM);
    imported.set(key, known);
    return known;
  };

  return {
    issue: async ({ userId, roles }) => {
      const [key] = options.keys();
      if (key === undefined) throw tokenErrors.NO_KEY();
      const now = Math.floor(clock.now() / 1000);
      const accessToken = await new SignJWT({ roles: [...roles], client_id: options.audience })
        .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ: TOKEN_TYPE })
        .setIssuer(options.issuer)
        .setAudience(options.audience)
        .setSubject(userId)
        .setJti(ids.uuid())
        .setIssuedAt(now)
        .setExpirationTime(now + expiresIn)
        .sign(await importKey(key));
      return { accessToken, expiresIn };
    },
    publicKeys: () => options.keys().map(publicJwk),
  };
}
