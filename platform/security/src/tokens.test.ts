import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { exportSPKI, importJWK, SignJWT } from 'jose';
import {
  createSigningKey,
  createTokenIssuer,
  createTokenVerifier,
  type PublicJwk,
  publicJwk,
  type SigningKey,
  type TokenIssuerOptions,
} from './index.ts';

const ANNA = { userId: 'usr_1', roles: ['admin'] };

async function setUp(options: Partial<TokenIssuerOptions> = {}) {
  const runtime = virtualRuntime();
  const key = await createSigningKey(runtime.ids);
  const published = { keys: [publicJwk(key)] as PublicJwk[], fetches: 0, isDown: false };
  const common = { runtime, issuer: 'https://souk', audience: 'souk' };
  const issuer = createTokenIssuer({ ...common, keys: () => [key], ...options });
  const verifier = createTokenVerifier({
    ...common,
    fetchKeys: async () => {
      published.fetches += 1;
      if (published.isDown) throw new TypeError('down');
      return published.keys;
    },
  });
  return { runtime, key, published, issuer, verifier };
}

const now = (runtime: { clock: { now(): number } }) => Math.floor(runtime.clock.now() / 1000);

async function forge(
  key: SigningKey,
  at: number,
  header: Record<string, unknown> = {},
  claims: Record<string, unknown> = {},
): Promise<string> {
  const payload = {
    iss: 'https://souk',
    aud: 'souk',
    sub: 'usr_1',
    jti: 'j',
    roles: [],
    iat: at,
    exp: at + 900,
    ...claims,
  };
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'at+jwt', ...header })
    .sign(await importJWK(key.jwk, 'ES256'));
}

test('a token says who its bearer is', async () => {
  const { issuer, verifier } = await setUp();
  const { accessToken, expiresIn } = await issuer.issue(ANNA);
  assert.equal(expiresIn, 900);
  const { userId, roles } = await verifier.verify(accessToken);
  assert.deepEqual({ userId, roles }, ANNA);
});

test('a token is refused once it has expired, also when it was good a moment ago', async () => {
  const { runtime, issuer, verifier } = await setUp();
  const { accessToken } = await issuer.issue(ANNA);
  await runtime.advance(895_000);
  await verifier.verify(accessToken);
  await runtime.advance(12_000);
  await assert.rejects(verifier.verify(accessToken), { reason: 'TOKEN_EXPIRED', code: 'unauthenticated' });
});

test('an old token is refused, however long it claims to live', async () => {
  const { runtime, key, verifier } = await setUp();
  const token = await forge(key, now(runtime), {}, { exp: now(runtime) + 1e9 });
  await verifier.verify(token);
  await runtime.advance(3_600_000);
  await assert.rejects(verifier.verify(token), { reason: 'TOKEN_EXPIRED' });
});

test('every kind of forged token is refused', async () => {
  const { runtime, key, verifier } = await setUp();
  const at = now(runtime);
  const good = await forge(key, at);
  await verifier.verify(good);
  const [header, payload, signature] = good.split('.') as [string, string, string];
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const decoded = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const stranger = await createSigningKey(runtime.ids);
  const pem = await exportSPKI(createPublicKey({ key: publicJwk(key) as never, format: 'jwk' }) as never);
  const hs = `${encode({ alg: 'HS256', kid: key.kid, typ: 'at+jwt' })}.${payload}`;
  const forgeries: Record<string, string> = {
    'alg none': `${encode({ alg: 'none', kid: key.kid, typ: 'at+jwt' })}.${payload}.`,
    'public key as HMAC secret': `${hs}.${createHmac('sha256', pem).update(hs).digest('base64url')}`,
    'changed payload': `${header}.${encode({ ...decoded, roles: ['admin'] })}.${signature}`,
    'no signature': `${header}.${payload}.`,
    'zero signature': `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
    'key of a stranger under our id': await forge({ ...stranger, kid: key.kid }, at),
    'unknown key': await forge(stranger, at),
    'key id with a path': await forge({ ...key, kid: '../key' }, at),
    'embedded key': await forge(key, at, { jwk: publicJwk(stranger) }),
    'key address': await forge(key, at, { jku: 'https://evil' }),
    'another type': await forge(key, at, { typ: 'JWT' }),
    'another audience': await forge(key, at, {}, { aud: 'elsewhere' }),
    'another issuer': await forge(key, at, {}, { iss: 'https://evil' }),
    'from the future': await forge(key, at + 60),
    'no id': await forge(key, at, {}, { jti: undefined }),
    'no end': await forge(key, at, {}, { exp: undefined }),
    'roles that are not a list': await forge(key, at, {}, { roles: 'admin' }),
    'too long': `${good}${'A'.repeat(8192)}`,
    'not a token': 'hello',
    empty: '',
  };
  for (const [name, token] of Object.entries(forgeries)) {
    await assert.rejects(verifier.verify(token), { reason: 'TOKEN_INVALID', code: 'unauthenticated' }, name);
  }
});

test('an error about a token does not repeat it', async () => {
  const { runtime, key, verifier } = await setUp();
  const token = await forge(key, now(runtime), {}, { aud: 'elsewhere', email: 'anna@example.org' });
  await assert.rejects(verifier.verify(token), (error: Error) => {
    assert.doesNotMatch(JSON.stringify([error, error.cause, error.message, error.stack]), /anna@|eyJ/);
    return true;
  });
});

test('a new key is found while the old one still counts, and one that is withdrawn does not', async () => {
  const { runtime, key, published, issuer, verifier } = await setUp();
  await verifier.verify((await issuer.issue(ANNA)).accessToken);
  const next = await createSigningKey(runtime.ids);
  published.keys = [publicJwk(key), publicJwk(next)];
  await runtime.advance(30_000);
  await verifier.verify(await forge(next, now(runtime)));
  await verifier.verify((await issuer.issue(ANNA)).accessToken);
  assert.equal(published.fetches, 2);
  published.keys = [publicJwk(next)];
  await runtime.advance(300_000);
  await assert.rejects(verifier.verify(await forge(key, now(runtime))), { reason: 'TOKEN_INVALID' });
});

test('a flood of unknown keys causes one fetch in 30 s', async () => {
  const { runtime, published, issuer, verifier } = await setUp();
  await verifier.verify((await issuer.issue(ANNA)).accessToken);
  const stranger = await createSigningKey(runtime.ids);
  await runtime.advance(30_000);
  const flood = Array.from({ length: 50 }, async (_, index) =>
    verifier.verify(await forge({ ...stranger, kid: `k${index}` }, now(runtime))),
  );
  assert.ok((await Promise.allSettled(flood)).every((each) => each.status === 'rejected'));
  assert.equal(published.fetches, 2);
});

test('known keys stay good while the issuer is down; without any, the answer is "later"', async () => {
  const { runtime, published, issuer, verifier } = await setUp();
  published.isDown = true;
  await assert.rejects(verifier.verify((await issuer.issue(ANNA)).accessToken), { reason: 'TOKEN_KEYS_UNAVAILABLE' });
  published.isDown = false;
  await verifier.verify((await issuer.issue(ANNA)).accessToken);
  published.isDown = true;
  await runtime.advance(3_600_000);
  await verifier.verify((await issuer.issue(ANNA)).accessToken);
});

test('what is published holds no private part', async () => {
  const { issuer } = await setUp();
  assert.deepEqual(Object.keys(issuer.publicKeys()[0]!).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
});

test('without a key nothing is issued', async () => {
  const { issuer } = await setUp({ keys: () => [] });
  await assert.rejects(issuer.issue(ANNA), { reason: 'TOKEN_NO_KEY' });
});
