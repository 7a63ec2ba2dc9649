import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BARE, bench, instance, instances } from '../../test/balancing-fixture.ts';
import { callerNumber, subsetOf } from './subset.ts';

test('in each round of callers every instance is used once, and rounds differ', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 200 }),
      fc.integer({ min: 1, max: 50 }),
      fc.nat(1000),
      (count, size, round) => {
        const list = Array.from({ length: count }, (_, n) => n);
        const subsets = Math.floor(count / size);
        if (subsets <= 1) return assert.equal(subsetOf(list, size, round), list);
        const dealt = Array.from({ length: subsets }, (_, n) => subsetOf(list, size, round * subsets + n));
        assert.ok(dealt.every((subset) => subset.length === size));
        assert.equal(new Set(dealt.flat()).size, subsets * size);
      },
    ),
  );
  const list = Array.from({ length: 100 }, (_, n) => n);
  assert.notDeepEqual(subsetOf(list, 10, 0), subsetOf(list, 10, 10));
});

test('a caller is known by the number at the end of its id', () => {
  assert.equal(callerNumber('gateway-3'), 3);
  assert.equal(callerNumber('gateway-03'), 3);
  assert.equal(callerNumber('gateway-x'), callerNumber('gateway-x'));
  assert.notEqual(callerNumber('gateway-x'), callerNumber('gateway-y'));
});

test('a caller uses its subset alone, only beyond the threshold, and never where keys stick', () => {
  const subset = { size: 10, above: 30 };
  const list = instances(40);
  const used = (input: object, id: string, known = list) =>
    bench({ ...BARE, ...input }, known, { self: { zone: '', id } }).calls(1000);
  const [first, second] = [used({ subset }, 'gateway-0'), used({ subset }, 'gateway-1')];
  assert.equal(first.size, 10);
  assert.equal(new Set([...first.keys(), ...second.keys()]).size, 20);
  assert.equal(used({ subset }, 'gateway-0', instances(30)).size, 30);
  assert.equal(used({ subset, algorithm: 'rendezvous' }, 'gateway-0').size, 40);
});

test('metadata chooses; when nobody has it, all are asked or nobody, as the settings say', () => {
  const list = [instance('eu', { meta: { region: 'eu', tier: 'gold' } }), instance('us', { meta: { region: 'us' } })];
  const asked = (subset: object) =>
    [
      ...bench({ ...BARE, subset }, list)
        .calls(50)
        .keys(),
    ].sort();
  assert.deepEqual(asked({ metadata: { region: 'eu' } }), ['eu']);
  assert.deepEqual(asked({ metadata: { region: 'us', tier: 'gold' } }), ['eu', 'us']);
  assert.deepEqual(asked({ metadata: { region: 'asia' }, otherwise: 'none' }), ['nobody']);
});
