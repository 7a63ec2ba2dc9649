import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { signPayload, verifyPayload } from './index.ts';

const nowMs = 1_767_225_600_000;
const timestamp = String(nowMs / 1000);
const body = Buffer.from('{"id":"evt_1"}');
const signature = signPayload('new', { timestamp, body });
const good = { secrets: ['new'], signature, nowMs };

test('a signed payload is accepted under any live secret', () => {
  verifyPayload({ timestamp, body }, good);
  verifyPayload({ timestamp, body }, { ...good, secrets: ['other', 'new'] });
  verifyPayload(
    { timestamp, body },
    { ...good, signature: `${signPayload('old', { timestamp, body })}, ${signature}` },
  );
});

test('anything that was changed is refused', () => {
  const invalid = { reason: 'SIGNATURE_INVALID', code: 'unauthenticated' };
  const cases: [payload: { timestamp: string; body: Uint8Array }, options: Partial<typeof good>][] = [
    [{ timestamp, body: Buffer.from('{"id":"evt_2"}') }, {}],
    [{ timestamp: String(nowMs / 1000 + 1), body }, {}],
    [{ timestamp: `${timestamp}.`, body }, {}],
    [{ timestamp: '', body }, {}],
    [{ timestamp, body }, { secrets: ['other'] }],
    [{ timestamp, body }, { secrets: [] }],
    [
      { timestamp, body },
      { secrets: [''], signature: signPayload('', { timestamp, body }) },
    ],
    [{ timestamp, body }, { signature: '' }],
    [{ timestamp, body }, { signature: 'v1=' }],
    [{ timestamp, body }, { signature: signature.slice(0, -2) }],
    [{ timestamp, body }, { signature: signature.slice(3) }],
    [{ timestamp, body }, { signature: signature.toUpperCase() }],
  ];
  for (const [payload, options] of cases) {
    assert.throws(
      () => verifyPayload(payload, { ...good, ...options }),
      invalid,
      JSON.stringify([payload.timestamp, options]),
    );
  }
});

test('a part of the body cannot be passed off as part of the timestamp', () => {
  const signed = signPayload('s', { timestamp: '1', body: Buffer.from('2.x') });
  const moved = { timestamp: '1.2', body: Buffer.from('x') };
  assert.throws(() => verifyPayload(moved, { secrets: ['s'], signature: signed, nowMs: 1000 }), {
    reason: 'SIGNATURE_INVALID',
  });
});

test('a payload is good for 300 s, either way', () => {
  verifyPayload({ timestamp, body }, { ...good, nowMs: nowMs + 300_000 });
  verifyPayload({ timestamp, body }, { ...good, nowMs: nowMs - 300_000 });
  for (const offset of [300_001, -300_001]) {
    assert.throws(() => verifyPayload({ timestamp, body }, { ...good, nowMs: nowMs + offset }), {
      reason: 'SIGNATURE_EXPIRED',
    });
  }
});

test('no other body has the same signature', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (one, other) => {
      const signed = signPayload('s', { timestamp, body: one });
      const verify = () => verifyPayload({ timestamp, body: other }, { secrets: ['s'], signature: signed, nowMs });
      if (Buffer.compare(one, other) === 0) verify();
      else assert.throws(verify, { reason: 'SIGNATURE_INVALID' });
    }),
  );
});
