import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conditions, Registration } from '@souk/discovery';
import fc from 'fast-check';
import { incarnationIn, instanceKey, servicePrefix, toInstance, toValue } from './wire.ts';

const text = fc.string({ unit: 'binary' }).map((value) => value.toWellFormed());
const name = text.filter((value) => value !== '');

const registrations: fc.Arbitrary<Registration> = fc.record(
  {
    id: name,
    service: name,
    address: fc.constantFrom('10.0.0.1', '::1', 'orders-1.internal'),
    port: fc.integer({ min: 1, max: 65_535 }),
    protocol: fc.constantFrom('http', 'https'),
    version: text,
    zone: text,
    weight: fc.integer({ min: 0, max: 65_535 }),
    tags: fc.array(text),
    meta: fc.dictionary(text, text, { noNullPrototype: true }),
    incarnation: text,
  },
  { noNullPrototype: true },
);

const conditions: fc.Arbitrary<Conditions> = fc.constantFrom(
  { ready: true, serving: true, terminating: false },
  { ready: false, serving: false, terminating: false },
  { ready: false, serving: true, terminating: true },
);

test('every instance survives the way through a key and its value', () => {
  fc.assert(
    fc.property(registrations, conditions, (one, state) => {
      const read = toInstance('/p/', instanceKey('/p/', one), toValue(one, state));
      assert.deepEqual(read, { ...one, ...state });
      assert.equal(incarnationIn(toValue(one, state)), one.incarnation);
    }),
  );
});

test('the same instance gives the same value, in whatever order its meta was filled', () => {
  fc.assert(
    fc.property(registrations, conditions, (one, state) => {
      const turned = { ...one, meta: Object.fromEntries(Object.entries(one.meta).reverse()) };
      assert.equal(toValue(turned, state), toValue(one, state));
    }),
  );
});

test('different services and ids have different keys, each below its own service only', () => {
  fc.assert(
    fc.property(name, name, name, name, (service, id, otherService, otherId) => {
      const key = instanceKey('/p/', { service, id });
      const other = instanceKey('/p/', { service: otherService, id: otherId });
      assert.equal(key === other, service === otherService && id === otherId);
      assert.equal(key.startsWith(servicePrefix('/p/', otherService)), service === otherService);
    }),
  );
});

test('whatever is under a key, reading it gives an instance or a reason, and never throws', () => {
  const values = fc.oneof(
    text,
    fc.json(),
    registrations.map((one) => JSON.stringify(one)),
    mutated(),
  );
  fc.assert(
    fc.property(fc.oneof(text, fc.constantFrom('/p/a/b', '/p/a', '/p/a/b/c', '/p/%/b')), values, (key, value) => {
      const read = toInstance('/p/', key, value);
      if ('nonsense' in read) assert.notEqual(read.nonsense, '');
      else assert.equal(read.ready && read.terminating, false);
      incarnationIn(value);
    }),
  );
});

test('what is left out is as of an instance that is up', () => {
  assert.deepEqual(toInstance('/p/', '/p/a/b', '{"address":"::1","port":1}'), {
    id: 'b',
    service: 'a',
    address: '::1',
    port: 1,
    protocol: 'http',
    version: '',
    zone: '',
    weight: 1,
    tags: [],
    meta: {},
    incarnation: '',
    ready: true,
    serving: true,
    terminating: false,
  });
});

test('what is terminating is not ready, whatever it says', () => {
  const read = toInstance('/p/', '/p/a/b', '{"address":"::1","port":1,"ready":true,"terminating":true}');
  assert.equal('ready' in read && read.ready, false);
});

/** Sensible but for one field. */
function mutated(): fc.Arbitrary<string> {
  const fields = fc.constantFrom('id', 'address', 'port', 'protocol', 'weight', 'tags', 'meta', 'incarnation', 'ready');
  return fc
    .tuple(registrations, fields, fc.jsonValue())
    .map(([one, field, value]) => JSON.stringify({ ...one, [field]: value }));
}
