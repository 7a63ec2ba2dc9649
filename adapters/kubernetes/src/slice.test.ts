import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MergeInit, merge, readSlice, type Slice } from './slice.ts';

const recorded = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../test/fixtures', name), 'utf8')).items;

const init = (service: string, more: Partial<MergeInit> = {}): MergeInit => ({
  service,
  portName: undefined,
  addressTypes: ['IPv4', 'IPv6', 'FQDN'],
  ...more,
});

const read = (value: unknown): Slice => readSlice(value) as Slice;

const pod = (slice: string, version: number, fields: object = {}, endpoint: object = {}): Slice =>
  read({
    metadata: { name: slice, resourceVersion: String(version) },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [{ addresses: ['10.0.0.1'], targetRef: { name: 'orders-0', uid: 'u1' }, ...endpoint }],
    ...fields,
  });

test('a pod with an address in both families is one instance, of the preferred family', () => {
  const slices: Slice[] = recorded('dual-stack-list.json').map(read);
  const v4 = merge(slices, init('catalog')).map(({ id, address }) => `${id} ${address}`);
  assert.deepEqual(v4, ['catalog-0 10.42.0.30', 'catalog-1 10.42.1.31', 'catalog-2 fd00:10:42:2::20']);
  const v6 = merge(slices, init('catalog', { addressTypes: ['IPv6'] })).map(({ address }) => address);
  assert.deepEqual(v6, ['fd00:10:42::1e', 'fd00:10:42:1::1f', 'fd00:10:42:2::20']);
  const [one] = merge(slices, init('catalog'));
  assert.deepEqual(
    [one?.protocol, one?.port, one?.version, one?.weight, one?.tags, one?.zone],
    ['https', 8443, '2.0.0-rc.1', 3, ['canary', 'eu'], 'eu-west-1a'],
  );
});

test('conditions that are not said count as ready, and nothing that ends is ready', () => {
  const [slice] = recorded('manual-list.json').map(read) as Slice[];
  assert.deepEqual(
    merge([slice as Slice], init('mail')).map(({ id, ready, serving, terminating }) => [
      id,
      ready,
      serving,
      terminating,
    ]),
    [
      ['mail-192.0.2.44:2525', true, true, false],
      ['mail-192.0.2.45:2525', true, true, false],
      ['mail-192.0.2.46:2525', false, false, false],
      ['mail-192.0.2.47:2525', false, false, true],
    ],
  );
  assert.equal(slice?.problems.length, 3);
});

test('a weight that is none counts as one', () => {
  for (const [said, weight] of Object.entries({ '0': 0, '65535': 65_535, '65536': 1, '-1': 1, '1.5': 1, many: 1 })) {
    const slice = pod('s', 1, { metadata: { name: 's', annotations: { 'souk/weight': said } } });
    assert.equal(merge([slice], init('orders'))[0]?.weight, weight);
  }
});

test('annotations count before labels, and ours before the usual one', () => {
  const labels = { 'app.kubernetes.io/version': '1', 'souk/version': '2' };
  const version = (annotations: object) =>
    merge([pod('s', 1, { metadata: { name: 's', labels, annotations } })], init('orders'))[0]?.version;
  assert.equal(version({}), '2');
  assert.equal(version({ 'souk/version': '3' }), '3');
});

test('the port is the one that is named, or the usual one, or the first', () => {
  const ports = [
    { name: 'metrics', port: 9090 },
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'http', port: 8080 },
    { name: 'broken', port: null },
  ];
  const portOf = (given: object[], portName?: string) =>
    merge([pod('s', 1, { ports: given })], init('orders', { portName })).map(({ port }) => port);
  assert.deepEqual(portOf(ports), [8080]);
  assert.deepEqual(portOf(ports, 'metrics'), [9090]);
  assert.deepEqual(portOf(ports, 'grpc'), []);
  assert.deepEqual(portOf(ports.slice(0, 2)), [9090]);
  assert.deepEqual(portOf([]), []);
});

test('of two slices with the same pod the one that was written last counts, in whatever order they come', () => {
  const before = pod('a', 9);
  const after = pod('b', 10, {}, { conditions: { ready: false, serving: true, terminating: true } });
  for (const slices of [
    [before, after],
    [after, before],
  ]) {
    const found = merge(slices, init('orders'));
    assert.deepEqual(
      found.map(({ terminating }) => terminating),
      [true],
    );
  }
});

test('a pod that takes over the name of one that ends is the one that counts', () => {
  const ends = {
    conditions: { ready: false, serving: true, terminating: true },
    targetRef: { name: 'orders-0', uid: 'u0' },
  };
  for (const slices of [
    [pod('a', 5, {}, ends), pod('b', 5)],
    [pod('b', 5), pod('a', 5, {}, ends)],
  ]) {
    assert.deepEqual(
      merge(slices, init('orders')).map(({ incarnation }) => incarnation),
      ['u1'],
    );
  }
});

test('whatever a slice says, it is read or left out, and nobody is there twice or ready while it ends', () => {
  const condition = fc.option(fc.oneof(fc.boolean(), fc.jsonValue()), { nil: undefined });
  const text = fc.constantFrom('10.0.0.1', '10.0.0.2', '::1', '', 'a b');
  const endpoint = fc.record(
    {
      addresses: fc.oneof(fc.array(text, { maxLength: 2 }), fc.jsonValue()),
      conditions: fc.oneof(fc.record({ ready: condition, serving: condition, terminating: condition }), fc.jsonValue()),
      targetRef: fc.oneof(
        fc.record({ name: fc.constantFrom('p1', 'p2'), uid: fc.constantFrom('u1', 'u2') }),
        fc.jsonValue(),
      ),
      hints: fc.jsonValue(),
      zone: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const slices = fc.array(
    fc.record(
      {
        metadata: fc.oneof(
          fc.record({
            name: fc.constantFrom('s1', 's2'),
            resourceVersion: fc.oneof(fc.nat().map(String), fc.jsonValue()),
          }),
          fc.jsonValue(),
        ),
        addressType: fc.constantFrom('IPv4', 'IPv6', 7),
        ports: fc.oneof(
          fc.array(fc.record({ name: fc.constantFrom('http', null), port: fc.constantFrom(80, null, 0) })),
          fc.jsonValue(),
        ),
        endpoints: fc.oneof(fc.array(endpoint), fc.jsonValue()),
      },
      { requiredKeys: [] },
    ),
  );
  fc.assert(
    fc.property(slices, (given) => {
      const parsed = given.map(readSlice).filter((one) => one !== undefined);
      const found = merge(parsed, init('orders'));
      assert.equal(new Set(found.map(({ id }) => id)).size, found.length);
      for (const one of found) assert.ok(!(one.ready && one.terminating) && one.address !== '' && one.port > 0);
    }),
  );
});
