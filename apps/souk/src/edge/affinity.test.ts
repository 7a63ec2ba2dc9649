import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { AFFINITY, withAffinity } from './affinity.ts';

const NONE = {} as ServerResponse;

/** The wish that a request has when it is served. */
function wishOf(by: string, headers: Record<string, string>, remoteAddress = '10.0.0.7'): unknown {
  let wish: unknown;
  const handler = withAffinity((request) => {
    wish = request.headers['x-souk-affinity'];
  }, by);
  handler({ headers, socket: { remoteAddress } } as unknown as IncomingMessage, NONE);
  return wish;
}

test('by itself nothing sticks', () => {
  assert.equal(wishOf('none', { cookie: 'session=a' }), undefined);
});

test('a client sticks by its address, which is not handed on', () => {
  const wish = wishOf('address', {});
  assert.match(String(wish), /^[\w-]{16}$/);
  assert.equal(wishOf('address', {}), wish);
  assert.notEqual(wishOf('address', {}, '10.0.0.8'), wish);
});

test('a client sticks by a cookie, wherever among others it is, and not without it', () => {
  const wish = wishOf('cookie:session', { cookie: 'session=a=b' });
  assert.match(String(wish), /^[\w-]{16}$/);
  assert.equal(wishOf('cookie:session', { cookie: 'theme=dark; session=a=b; xsession=c' }), wish);
  assert.notEqual(wishOf('cookie:session', { cookie: 'session=c' }), wish);
  for (const cookie of ['', 'session', 'session=', 'xsession=a=b', '=a'])
    assert.equal(wishOf('cookie:session', { cookie }), undefined, cookie);
  assert.equal(wishOf('cookie:session', {}), undefined);
});

test('a wish that a client has is its own', () => {
  assert.equal(wishOf('address', { 'x-souk-affinity': 'mine' }), 'mine');
});

test('the setting is one of three', () => {
  const allowed = new RegExp(`^(${AFFINITY.source})$`);
  for (const good of ['none', 'address', 'cookie:sid']) assert.match(good, allowed);
  for (const bad of ['', 'cookie:', 'cookie:a b', 'ip', 'address:x']) assert.doesNotMatch(bad, allowed);
});
