import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredEvent } from './event.ts';
import { createUpcasters } from './upcaster.ts';

const event = (type: string, schemaVersion: number, data: unknown): StoredEvent => ({
  stream: 's-1',
  version: 7,
  id: '01890000-0000-7000-8000-000000000001',
  type,
  schemaVersion,
  data,
  metadata: {},
  at: new Date(0),
});

interface Placed {
  readonly total: number;
  readonly currency?: string;
}

const chain = createUpcasters(
  {
    // 1 -> 2: a currency; 2 -> 3: total in minor units.
    Placed: [
      (data) => ({ data: { ...(data as Placed), currency: 'EUR' } }),
      (data) => ({ data: { ...(data as Placed), total: (data as Placed).total * 100 } }),
    ],
    Moved: [
      (data) => [
        { type: 'Left', data },
        { type: 'Arrived', data },
      ],
    ],
    Pinged: [() => []],
    Named: [(data) => ({ type: 'Placed', schemaVersion: 2, data })],
    Arrived: [(data) => ({ data: { at: data } })],
  },
  { Paid: 1 },
);
const read = (...events: StoredEvent[]) =>
  chain.apply(events).map(({ type, schemaVersion, data }) => [type, schemaVersion, data]);

test('a fixture of every version becomes what is written today, step by step', () => {
  assert.deepEqual(read(event('Placed', 1, { total: 5 })), [['Placed', 3, { total: 500, currency: 'EUR' }]]);
  assert.deepEqual(read(event('Placed', 2, { total: 5, currency: 'USD' })), [
    ['Placed', 3, { total: 500, currency: 'USD' }],
  ]);
  const today = [event('Placed', 3, { total: 5 }), event('Paid', 1, {}), event('Unknown', 9, {})];
  assert.equal(chain.apply(today), today, 'what is of today is not touched');
});

test('one event becomes several or none, each of which goes on by its own steps', () => {
  const made = chain.apply([event('Moved', 1, 'x'), event('Pinged', 1, {}), event('Named', 1, { total: 1 })]);
  assert.deepEqual(
    made.map(({ type, schemaVersion, data }) => [type, schemaVersion, data]),
    [
      ['Left', 1, 'x'],
      ['Arrived', 2, { at: 'x' }],
      ['Placed', 3, { total: 100 }],
    ],
  );
  assert.deepEqual(
    made.map(({ version }) => version),
    [7, 7, 7],
  );
});

test('what a newer version wrote stops the reader', () => {
  for (const [type, version] of [
    ['Placed', 4],
    ['Paid', 2],
  ] as const)
    assert.throws(() => read(event('Unknown', 1, {}), event(type, version, {})), {
      reason: 'EVENTSTORE_SCHEMA_TOO_NEW',
    });
});

test('events are written in the newest version', () => {
  assert.deepEqual(['Placed', 'Moved', 'Paid', 'Unknown'].map(chain.versionOf), [3, 2, 1, 1]);
});

test('upcasters that contradict or go round are refused', () => {
  const invalid = { reason: 'EVENTSTORE_UPCASTERS_INVALID' };
  assert.throws(() => createUpcasters({ A: [(data) => ({ data })] }, { A: 3 }), invalid);
  const circle = createUpcasters({
    A: [(data) => ({ type: 'B', data })],
    B: [(data) => ({ type: 'A', data })],
  });
  assert.throws(() => circle.apply([event('A', 1, {})]), invalid);
});
