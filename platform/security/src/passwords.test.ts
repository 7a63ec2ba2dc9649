import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRuntime } from '@souk/kernel';
import { createPasswords } from './index.ts';
import { parsePasswordHash } from './password-hash.ts';

const { random } = systemRuntime();
/** Cheap: most tests are not about the cost. */
const cost = { memoryKiB: 64, passes: 1, parallelism: 1 };
const cheap = createPasswords({ random, cost });

test('a password matches its hash and no other does', async () => {
  const stored = await cheap.hash('correct horse');
  assert.deepEqual(await cheap.verify('correct horse', stored), { matches: true, needsRehash: false });
  assert.deepEqual(await cheap.verify('Correct horse', stored), { matches: false, needsRehash: false });
  assert.equal((await cheap.verify('', stored)).matches, false);
});

test('the default is argon2id at the cost OWASP names, in PHC form', async () => {
  const stored = await createPasswords({ random }).hash('x');
  assert.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
});

test('the same password hashes differently each time', async () => {
  assert.notEqual(await cheap.hash('x'), await cheap.hash('x'));
});

test('another Unicode form of the same characters is the same password', async () => {
  const stored = await cheap.hash('caf\u00e9');
  assert.equal((await cheap.verify('cafe\u0301', stored)).matches, true);
});

test('nothing is cut off: 256 characters count to the last, more are refused', async () => {
  const long = '🗝'.repeat(255);
  const stored = await cheap.hash(`${long}a`);
  assert.equal((await cheap.verify(`${long}b`, stored)).matches, false);
  await assert.rejects(cheap.hash(`${long}ab`), { reason: 'PASSWORD_TOO_LONG' });
  assert.equal((await cheap.verify(`${long}ab`, stored)).matches, false);
});

test('a match at another cost asks for a new hash', async () => {
  const stored = await cheap.hash('x');
  const dearer = createPasswords({ random, cost: { ...cost, passes: 2 } });
  assert.deepEqual(await dearer.verify('x', stored), { matches: true, needsRehash: true });
  assert.deepEqual(await dearer.verify('y', stored), { matches: false, needsRehash: false });
});

test('a user who does not exist costs a hash too, and never matches', async () => {
  assert.deepEqual(await cheap.verify('', undefined), { matches: false, needsRehash: false });
  // It takes the only place there is, as a real one would.
  const dear = createPasswords({
    random,
    cost: { memoryKiB: 8192, passes: 2, parallelism: 1 },
    concurrency: 1,
    queue: 0,
  });
  const first = dear.verify('x', undefined);
  await assert.rejects(dear.verify('x', undefined), { reason: 'PASSWORD_BUSY' });
  await first;
});

test('what cannot be worked on nor wait is refused, and asked to come later', async () => {
  const passwords = createPasswords({ random, cost, concurrency: 2, queue: 3 });
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => passwords.hash('x')));
  assert.equal(results.filter((each) => each.status === 'fulfilled').length, 5);
  const refused = results.find((each) => each.status === 'rejected')?.reason;
  assert.deepEqual([refused.reason, refused.retry.kind], ['PASSWORD_BUSY', 'later']);
  await passwords.hash('x');
});

test('a stored hash that is broken or asks for too much is refused', () => {
  const salt = 'A'.repeat(22);
  const hash = 'A'.repeat(43);
  for (const text of [
    '',
    'x',
    `$argon2i$v=19$m=64,t=1,p=1$${salt}$${hash}`,
    `$argon2id$v=16$m=64,t=1,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=9999999,t=1,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=64,t=999,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=64,t=1,p=0$${salt}$${hash}`,
    `$argon2id$v=19$m=64,t=1,p=1$${salt}$`,
  ]) {
    assert.throws(() => parsePasswordHash(text), { reason: 'PASSWORD_HASH_UNREADABLE' }, text);
  }
});
