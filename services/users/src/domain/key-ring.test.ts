import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aheadMs, dueKey, type KeyTime, shownKeys, signingKey } from './key-ring.ts';

const DAY = 86_400_000;
const policy = { keyRotation: 30 * DAY, accessTokenTtl: 900_000 };

test('the first key signs at once', () => {
  const first = dueKey([], policy, 1000);
  assert.deepEqual(first, { generation: 1, signsFrom: 1000 });
  assert.equal(signingKey([first as KeyTime], 1000), first);
});

test('R1-R3 hold however often and late the sweep comes', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 40 * DAY }), { minLength: 1, maxLength: 60, size: 'max' });
  fc.assert(
    fc.property(gaps, (waits) => {
      let now = 0;
      let keys: KeyTime[] = [];
      const shownSince = new Map<number, number>();
      for (const wait of waits) {
        now += wait;
        const due = dueKey(keys, policy, now);
        if (due) {
          keys = [...keys, due];
          shownSince.set(due.generation, now);
        }
        const shown = shownKeys(keys, policy, now);
        const signing = signingKey(keys, now) as KeyTime;
        assert.ok(shown.includes(signing), 'what signs is shown');
        if (signing.generation > 1) {
          assert.ok(signing.signsFrom - (shownSince.get(signing.generation) as number) >= aheadMs(policy));
        }
        const before = signingKey(keys, now - policy.accessTokenTtl);
        assert.ok(before === undefined || shown.includes(before), 'tokens that are still good can be verified');
        keys = shown;
      }
    }),
  );
});

test('a key is retired once no token of it can be good', () => {
  const keys = [
    { generation: 1, signsFrom: 0 },
    { generation: 2, signsFrom: 30 * DAY },
  ];
  assert.equal(shownKeys(keys, policy, 30 * DAY + 900_000).length, 2);
  assert.deepEqual(shownKeys(keys, policy, 30 * DAY + 960_000), [keys[1]]);
});
