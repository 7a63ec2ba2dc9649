import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANONYMOUS, type Caller, hasReason, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { createCallerTokens } from './index.ts';

const KEY = 'a key that nobody knows';
const refused = (reason: string) => (error: unknown) => hasReason(error, reason);

test('who calls is told as it is, whatever it is', () => {
  const runtime = virtualRuntime();
  const [one, other] = [createCallerTokens({ key: KEY, runtime }), createCallerTokens({ key: KEY, runtime })];
  const text = fc.string({ minLength: 1, maxLength: 40 });
  const callers = fc.record(
    { service: text, userId: text, roles: fc.array(text, { maxLength: 5 }) },
    { requiredKeys: ['roles'] },
  );
  fc.assert(
    fc.property(callers, (caller) => {
      assert.deepEqual({ ...other.verify(one.sign(caller as Caller)) }, { ...caller });
    }),
  );
  assert.deepEqual({ ...other.verify(one.sign(ANONYMOUS)) }, { roles: [] });
});

test('a token of another key, a changed one and no token at all are refused', () => {
  const runtime = virtualRuntime();
  const tokens = createCallerTokens({ key: KEY, runtime });
  const token = tokens.sign({ roles: [], service: 'orders' });
  const foreign = createCallerTokens({ key: 'another key that nobody knows', runtime }).sign({ roles: ['admin'] });
  assert.throws(() => tokens.verify(foreign), refused('CALLER_TOKEN_INVALID'));
  const signs = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
  const bytesOf = (text: string) => text.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'));
  fc.assert(
    fc.property(fc.nat(token.length - 1), signs, (at, sign) => {
      const changed = token.slice(0, at) + sign + token.slice(at + 1);
      // The last character of base64 may hold bits that mean nothing.
      fc.pre(changed.split('.')[0] !== token.split('.')[0] || bytesOf(changed)[1] !== bytesOf(token)[1]);
      assert.throws(() => tokens.verify(changed), refused('CALLER_TOKEN_INVALID'));
    }),
  );
  for (const junk of ['', '.', 'a.b', 'x'.repeat(5000)]) {
    assert.throws(() => tokens.verify(junk), refused('CALLER_TOKEN_INVALID'));
  }
});

test('a token is good for two minutes, also one that was seen before', async () => {
  const runtime = virtualRuntime();
  const tokens = createCallerTokens({ key: KEY, runtime });
  const token = tokens.sign({ roles: [] });
  await runtime.advance(119_000);
  tokens.verify(token);
  await runtime.advance(2000);
  assert.throws(() => tokens.verify(token), refused('CALLER_TOKEN_EXPIRED'));
});

test('what is sent has at least half of its life left', async () => {
  const runtime = virtualRuntime();
  const tokens = createCallerTokens({ key: KEY, runtime });
  const caller: Caller = { roles: [], service: 'orders' };
  const first = tokens.sign(caller);
  await runtime.advance(59_000);
  assert.equal(tokens.sign(caller), first);
  await runtime.advance(2000);
  const next = tokens.sign(caller);
  assert.notEqual(next, first);
  await runtime.advance(60_000);
  tokens.verify(next);
});

test('a key that can be guessed is refused', () => {
  assert.throws(
    () => createCallerTokens({ key: 'short', runtime: virtualRuntime() }),
    refused('CALLER_TOKEN_KEY_TOO_SHORT'),
  );
});
