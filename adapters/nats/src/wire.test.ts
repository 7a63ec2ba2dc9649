import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headers } from '@nats-io/transport-node';
import { hasReason } from '@souk/kernel';
import type { Envelope } from '@souk/messaging';
import fc from 'fast-check';
import { messageId, partitionOf, toEnvelope, toHeaders, toToken } from './wire.ts';

const text = fc.string({ unit: 'binary' }).map((value) => value.toWellFormed());

const envelopes: fc.Arbitrary<Envelope> = fc.record(
  {
    id: text,
    source: text,
    type: text,
    schema: text,
    key: text,
    time: text,
    traceparent: text,
    causationId: fc.option(text, { nil: undefined }),
    data: fc.uint8Array(),
  },
  { noNullPrototype: true },
);

test('every envelope survives the way through headers', () => {
  fc.assert(
    fc.property(envelopes, (envelope) => {
      assert.deepEqual(toEnvelope(toHeaders(envelope), envelope.data, 1), envelope);
    }),
  );
});

test('attributes that are not known travel along', () => {
  fc.assert(
    fc.property(envelopes, text, (envelope, value) => {
      const full = { ...envelope, extensions: { fromthefuture: value } };
      assert.deepEqual(toEnvelope(toHeaders(full), full.data, 1), full);
    }),
  );
});

test('a message without a required attribute is told by its name', () => {
  const found = headers();
  found.set('ce-id', '1');
  assert.throws(
    () => toEnvelope(found, new Uint8Array(), 7),
    (error) => hasReason(error, 'NATS_UNREADABLE') && String(error).includes('ce-source'),
  );
});

test('a token of a subject holds no wildcard, space or control character, and stands for one text', () => {
  fc.assert(
    fc.property(text, text, (one, other) => {
      assert.match(toToken(one), /^[\w.%-]*$/);
      if (one !== other) assert.notEqual(toToken(one), toToken(other));
    }),
  );
});

test('the place of a key is part of the wire', () => {
  const at = (key: string) => partitionOf({ source: '/souk/orders', key } as Envelope, 16);
  assert.deepEqual(['ord_1', 'ord_2', 'ord_3', ''].map(at), ['ord_1', 'ord_2', 'ord_3', ''].map(at));
  fc.assert(fc.property(text, (key) => at(key) >= 0 && at(key) < 16));
});

test('an event that is published again after a stream was lost is no duplicate for the next one', () => {
  const envelope = { source: '/s', id: '1' } as Envelope;
  assert.notEqual(messageId(envelope, 0), messageId(envelope, 1));
});
