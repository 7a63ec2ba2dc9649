import type { Ids } from '@souk/kernel';
import { exportJWK, generateKeyPair, type JWK } from 'jose';

export const ALGORITHM = 'ES256';

/** A private key that signs tokens. Store it as a secret. */
export interface SigningKey {
  readonly kid: string;
  /** Private key of the curve P-256, as a JSON Web Key. */
  readonly jwk: JWK;
}

/** What is published of a key. */
export interface PublicJwk {
  readonly kid: string;
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y: string;
  readonly alg: string;
  readonly use: string;
}

export async function createSigningKey(ids: Ids): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  return { kid: ids.next('key'), jwk: await exportJWK(privateKey) };
}

/** The public half only, whatever else the key holds. */
export const publicJwk = ({ kid, jwk }: SigningKey): PublicJwk => ({
  kid,
  kty: jwk.kty ?? '',
  crv: jwk.crv ?? '',
  x: jwk.x ?? '',
  y: jwk.y ?? '',
  alg: ALGORITHM,
  use: 'sig',
});
