import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import { createOperatorCommands, type HeldCommand, mergeCommands, OPERATOR_ACTIONS } from './operator-commands.ts';

const order = { key: 'stock', action: 'isolate', owner: 'ops', reason: 'maintenance', ttlMs: 60_000 } as const;
const arbitraryCommand: fc.Arbitrary<HeldCommand> = fc.record(
  {
    key: fc.constant('stock'),
    action: fc.constantFrom(...OPERATOR_ACTIONS),
    version: fc.integer({ min: 1, max: 4 }),
    owner: fc.constantFrom('ann', 'bob'),
    reason: fc.constantFrom('x', 'y'),
    untilMs: fc.nat(10),
  },
  { noNullPrototype: true },
);

test('C1 merging is commutative, associative and idempotent, and the last version wins', () => {
  fc.assert(
    fc.property(arbitraryCommand, arbitraryCommand, arbitraryCommand, (a, b, c) => {
      assert.deepEqual(mergeCommands(a, b), mergeCommands(b, a));
      assert.deepEqual(mergeCommands(a, mergeCommands(b, c)), mergeCommands(mergeCommands(a, b), c));
      assert.deepEqual(mergeCommands(a, a), a);
      assert.equal(mergeCommands(a, b).version, Math.max(a.version, b.version));
    }),
  );
});

test('C1 whatever order commands come in, all end with the same', () => {
  const orders = fc
    .array(arbitraryCommand, { minLength: 1, maxLength: 10 })
    .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
  fc.assert(
    fc.property(orders, ([list, shuffled]) => {
      const ends = [list, shuffled].map((commands) => {
        const all = createOperatorCommands();
        for (const command of commands) all.accept(command, 0);
        return all.last('stock');
      });
      assert.deepEqual(ends[0], ends[1]);
    }),
  );
});

test('C2 a command ends with its time, and a late repetition does not revive it', () => {
  const all = createOperatorCommands();
  const draft = all.draft(order, 0, 0);
  all.accept(draft, 0);
  assert.equal(all.active('stock', 59_999)?.action, 'isolate');
  assert.equal(all.active('stock', 60_000), undefined);
  all.accept({ ...draft, untilMs: 70_000 }, 61_000);
  assert.equal(all.active('stock', 61_000), undefined);
});

test('C3 a command against a version that is gone is refused', () => {
  const all = createOperatorCommands();
  all.accept(all.draft(order, 0, 0), 0);
  assert.throws(() => all.draft({ ...order, action: 'release' }, 0, 0), isSoukError);
  assert.equal(all.draft({ ...order, action: 'release' }, 1, 0).version, 2);
});

test('a command without owner, reason or end is refused', () => {
  const all = createOperatorCommands();
  const changes = [{ owner: '' }, { reason: '' }, { key: '' }, { ttlMs: 0 }, { ttlMs: Number.POSITIVE_INFINITY }];
  for (const change of changes) assert.throws(() => all.draft({ ...order, ...change }, 0, 0), isSoukError);
});

test('more keys than there is room for: those whose command is over go, those that hold stay', () => {
  const all = createOperatorCommands(2);
  const put = (key: string, untilMs: number) =>
    all.accept({ key, action: 'isolate', version: 1, owner: 'ops', reason: 'x', untilMs }, 100);
  assert.ok(put('a', 50) && put('b', 500) && put('c', 500));
  assert.equal(put('d', 500), undefined);
  assert.deepEqual(
    all.all().map(({ key }) => key),
    ['b', 'c'],
  );
});
