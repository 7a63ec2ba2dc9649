import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANONYMOUS, defineErrors } from '@souk/kernel';
import type { TokenVerifier } from '@souk/security';
import { createAuthenticate } from './authenticate.ts';

const tokens = defineErrors('TOKENS', { BAD: { code: 'unauthenticated', text: 'bad' } });
const verifier = {
  verify: async (token: string) => {
    if (token !== 'ada.s.token') throw tokens.BAD();
    return { userId: 'ada', roles: ['customer'] };
  },
} as unknown as TokenVerifier;
const authenticate = createAuthenticate(verifier, 'the-operator-token');
const as = (authorization: string) => authenticate({ authorization });

test('without a token the caller is nobody', async () => assert.deepEqual(await authenticate({}), ANONYMOUS));

test('an access token makes its user, who is no service', async () => {
  assert.deepEqual(await as('Bearer ada.s.token'), { userId: 'ada', roles: ['customer'] });
  assert.deepEqual(await as('bearer ada.s.token'), { userId: 'ada', roles: ['customer'] });
});

test('the operator token makes the operator', async () => {
  assert.deepEqual(await as('Bearer the-operator-token'), { roles: ['admin'], service: 'operator' });
});

test('anything else is refused, never let through as nobody', async () => {
  for (const header of ['', 'Bearer', 'Bearer ', 'Bearer x', 'Basic YTpi', 'ada.s.token', 'Bearer the-operator-toke']) {
    await assert.rejects(as(header), { reason: 'TOKENS_BAD' });
  }
});
