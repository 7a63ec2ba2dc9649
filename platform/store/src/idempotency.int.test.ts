import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasReason, virtualRuntime } from '@souk/kernel';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { findReplay, fingerprintOf, idempotencyMigrations, idempotent, sweepIdempotency } from './idempotency.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString();
const reason = (wanted: string) => (error: unknown) => hasReason(error, wanted);

/** Only the clock of it is used. */
const runtime = virtualRuntime();
let test1: TestDatabase;

before(async () => {
  test1 = await testDatabase('idempotency', [
    idempotencyMigrations,
    [{ id: 'test/0001-effect', sql: 'CREATE TABLE effect (key text)' }],
  ]);
});
after(() => test1.close());

const request = (key: string, body = 'a') => ({
  scope: 'user-1 Place',
  key,
  fingerprint: fingerprintOf('Place', bytes(body)),
  runtime,
});

const place = (key: string, body = 'a', meanwhile: () => Promise<void> = async () => {}) =>
  test1.db.tx(test1.ctx, (tx) =>
    idempotent(tx, request(key, body), async () => {
      await tx.query('INSERT INTO effect VALUES ($1)', [key]);
      await meanwhile();
      return bytes(`answer to ${body}`);
    }),
  );

const effects = async (key: string): Promise<number> =>
  (await test1.db.at(test1.ctx).query('SELECT FROM effect WHERE key = $1', [key])).rowCount;

test('a repetition gets the first response and has no effect', async () => {
  const first = await place('k1');
  const second = await place('k1');
  assert.deepEqual([first.replayed, second.replayed], [false, true]);
  assert.equal(text(second.response), 'answer to a');
  assert.equal(await effects('k1'), 1);
});

test('a key with another request is refused, in the transaction and before it', async () => {
  await place('k2', 'a');
  await assert.rejects(place('k2', 'b'), reason('IDEMPOTENCY_KEY_REUSED'));
  await assert.rejects(findReplay(test1.db.at(test1.ctx), request('k2', 'b')), reason('IDEMPOTENCY_KEY_REUSED'));
  assert.equal(text(await findReplay(test1.db.at(test1.ctx), request('k2', 'a'))), 'answer to a');
  assert.equal(await findReplay(test1.db.at(test1.ctx), request('k2-unknown')), undefined);
});

test('a key of another scope is another key', async () => {
  await place('k3');
  const other = { ...request('k3', 'b'), scope: 'user-2 Place' };
  const { replayed } = await test1.db.tx(test1.ctx, (tx) => idempotent(tx, other, async () => bytes('x')));
  assert.equal(replayed, false);
});

test('a key in flight is refused with a wait, and answers once its transaction has ended', async () => {
  const started = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const first = place('k4', 'a', async () => {
    started.resolve();
    await goOn.promise;
  });
  await started.promise;
  await assert.rejects(place('k4'), (error) => {
    assert.ok(hasReason(error, 'IDEMPOTENCY_KEY_IN_FLIGHT'));
    assert.deepEqual((error as unknown as { retry: unknown }).retry, { kind: 'later', afterMs: 1000 });
    return true;
  });
  goOn.resolve();
  await first;
  assert.equal((await place('k4')).replayed, true);
  assert.equal(await effects('k4'), 1);
});

test('work that fails frees the key', async () => {
  const failing = place('k5', 'a', () => Promise.reject(new RangeError('no')));
  await assert.rejects(failing, RangeError);
  assert.equal((await place('k5')).replayed, false);
  assert.equal(await effects('k5'), 1);
});

test('a connection that is lost frees the key at once', async () => {
  const lost = test1.db.tx(test1.ctx, (tx) =>
    idempotent(tx, request('k6'), async () => {
      await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
      return bytes('never');
    }),
  );
  await assert.rejects(lost, reason('STORE_UNAVAILABLE'));
  assert.equal((await place('k6')).replayed, false);
});

test('fifty at once have one effect and equal answers', async () => {
  const untilAnswered = async (): Promise<string | undefined> => {
    for (;;) {
      try {
        return text((await place('k7')).response);
      } catch (error) {
        if (!hasReason(error, 'IDEMPOTENCY_KEY_IN_FLIGHT')) throw error;
      }
    }
  };
  const answers = await Promise.all(Array.from({ length: 50 }, untilAnswered));
  assert.deepEqual(new Set(answers), new Set(['answer to a']));
  assert.equal(await effects('k7'), 1);
});

test('a key is free again when its time is over, swept or not', async () => {
  await place('k8');
  const sql = test1.db.at(test1.ctx);
  await runtime.advance(24 * 60 * 60 * 1000);
  assert.equal((await place('k8', 'b')).replayed, false);
  assert.equal((await place('k8', 'b')).replayed, true);
  const { rowCount: before } = await sql.query('SELECT FROM souk.idempotency');
  const swept = await sweepIdempotency(sql, runtime);
  const { rowCount: left } = await sql.query('SELECT FROM souk.idempotency');
  assert.deepEqual([left, before - left], [1, swept]);
});

test('the fingerprint tells method and request apart', () => {
  const all = [fingerprintOf('A', bytes('b')), fingerprintOf('A', bytes('c')), fingerprintOf('Ab', bytes(''))];
  assert.equal(new Set(all.map((each) => Buffer.from(each).toString('hex'))).size, 3);
});
