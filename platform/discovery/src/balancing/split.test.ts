import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BARE, bench, chiSquare, chiSquareLimit, instance, instances } from '../../test/balancing-fixture.ts';
import { BUCKETS, bucketOf, createSplit } from './split.ts';

const both = [
  instance('old-1'),
  instance('old-2'),
  instance('new-1', { version: '2' }),
  instance('new-2', { version: '2' }),
];
const at = (percent: number, rest: object = {}) => ({
  ...BARE,
  split: { canaries: [{ version: '2', percent }], ...rest },
});
const isNew = (id: string | undefined): boolean => id?.startsWith('new') === true;

test('who is in at one percentage is in at every higher one', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.string(),
      fc.integer({ min: 0, max: 10_000 }),
      fc.integer({ min: 0, max: 10_000 }),
      (experiment, key, one, other) => {
        const [low, high] = [Math.min(one, other) / 100, Math.max(one, other) / 100];
        const canary = (percent: number) =>
          createSplit({ experiment, stable: '', canaries: [{ version: '2', percent }] }).canaryOf(key, () => 0.5);
        assert.ok(canary(low) === undefined || canary(high) === '2');
        assert.equal(canary(100), '2');
        assert.equal(canary(0), undefined);
      },
    ),
  );
});

test('a key stays with its version from call to call, and the share is what the settings say', () => {
  const on = bench(at(5), both);
  const keys = Array.from({ length: 10_000 }, (_, n) => `user-${n}`);
  const first = keys.filter((key) => isNew(on.call({ key })));
  assert.deepEqual(
    keys.filter((key) => isNew(on.call({ key }))),
    first,
  );
  assert.ok(Math.abs(first.length / keys.length - 0.05) < 0.01, String(first.length));
  on.change(at(10));
  assert.ok(first.every((key) => isNew(on.call({ key }))));
});

test('calls without a key are split by chance', () => {
  const counts = bench(at(25), both).calls(8000);
  const fresh = (counts.get('new-1') as number) + (counts.get('new-2') as number);
  assert.ok(Math.abs(fresh / 8000 - 0.25) < 0.02, String(fresh));
});

test('buckets are even, and another experiment draws anew', () => {
  const counts = Array(20).fill(0);
  let together = 0;
  for (let n = 0; n < 20_000; n++) {
    const bucket = bucketOf('one', `user-${n}`);
    counts[Math.floor((bucket * 20) / BUCKETS)] += 1;
    if (bucket < 1000 && bucketOf('other', `user-${n}`) < 1000) together += 1;
  }
  assert.ok(chiSquare(counts) < chiSquareLimit(19), `${counts}`);
  assert.ok(Math.abs(together / 20_000 - 0.01) < 0.004, String(together));
});

test('a tester gets the version that is demanded, and the usual one when it has no healthy instance', () => {
  const on = bench(at(0), both);
  assert.ok([...on.calls(50, () => ({ version: '2' })).keys()].every(isNew));
  assert.ok([...on.calls(50, () => ({ version: '3' })).keys()].every((id) => !isNew(id)));
});

test('a canary without a healthy instance is the stable version for its keys', () => {
  const on = bench(at(100, { stable: '1' }), both);
  assert.ok([...on.calls(50).keys()].every(isNew));
  on.tell(both.map((one) => (isNew(one.id) ? { ...one, ready: false, serving: false } : one)));
  assert.ok([...on.calls(50).keys()].every((id) => id.startsWith('old')));
});

test('blue and green: all calls go to the stable version, at once after the settings change, and to all when it has nobody', () => {
  const on = bench({ ...BARE, split: { stable: '1' } }, both);
  assert.deepEqual([...on.calls(50).keys()].sort(), ['old-1', 'old-2']);
  on.change({ ...BARE, split: { stable: '2' } });
  assert.deepEqual([...on.calls(50).keys()].sort(), ['new-1', 'new-2']);
  on.change({ ...BARE, split: { stable: '3' } });
  assert.equal(on.calls(200).size, 4);
});

test('mirror: so many calls are copied to healthy instances of the version, and counted as in flight', () => {
  const on = bench({ ...BARE, split: { stable: '1' }, mirror: { version: '2', percent: 30 } }, both);
  let copies = 0;
  for (let n = 0; n < 2000; n++) {
    const copy = on.picker.mirror({ key: `user-${n}` });
    if (copy === undefined) continue;
    copies += 1;
    assert.ok(isNew(copy.instance.id));
    copy.done({ kind: 'error' });
  }
  assert.ok(Math.abs(copies / 2000 - 0.3) < 0.04, String(copies));
  assert.deepEqual([...on.calls(50).keys()].sort(), ['old-1', 'old-2']);
  on.tell(instances(2));
  assert.equal(on.picker.mirror({}), undefined);
  on.change(BARE);
  assert.equal(on.picker.mirror({}), undefined);
});
