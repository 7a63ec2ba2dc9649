import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasReason, isSoukError, rootContext } from '@souk/kernel';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';

let shop: TestDatabase;

/** Runs `body` at the COMMIT of a transaction that writes to `table`. */
const atCommit = (table: string, body: string): string => `
  CREATE TABLE ${table} (id int);
  CREATE FUNCTION ${table}_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; RETURN NULL; END $$;
  CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON ${table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ${table}_commit();`;

before(async () => {
  shop = await testDatabase('transaction', [
    [
      { id: 'test/0001-lost', sql: atCommit('lost', 'PERFORM pg_terminate_backend(pg_backend_pid())') },
      { id: 'test/0002-slow', sql: atCommit('slow', 'PERFORM pg_sleep(0.3)') },
      { id: 'test/0003-stuck', sql: atCommit('stuck', 'PERFORM pg_sleep(30)') },
      { id: 'test/0004-clash', sql: atCommit('clash', "RAISE EXCEPTION 'clash' USING ERRCODE = '40001'") },
    ],
  ]);
});
after(() => shop.close());

const rows = async (table: string): Promise<number> =>
  (await shop.db.at(shop.ctx).query(`SELECT FROM ${table}`)).rowCount;

test('a connection that is lost in a COMMIT leaves the outcome unknown, and is not tried again', async () => {
  let attempts = 0;
  const work = shop.db.tx(shop.ctx, async (tx) => {
    attempts++;
    await tx.query('INSERT INTO lost VALUES (1)');
  });
  await assert.rejects(
    work,
    (error) => isSoukError(error) && error.reason === 'STORE_OUTCOME_UNKNOWN' && error.retry.kind === 'unknownOutcome',
  );
  assert.equal(attempts, 1);
});

test('a COMMIT that was sent is let finish when the caller gives up', async () => {
  const controller = new AbortController();
  using ctx = rootContext({ runtime: shop.runtime, signal: controller.signal });
  const work = shop.db.tx(ctx, async (tx) => {
    await tx.query('INSERT INTO slow VALUES (1)');
    return 'committed';
  });
  await shop.runtime.timers.sleep(100);
  controller.abort();
  assert.equal(await work, 'committed');
  assert.equal(await rows('slow'), 1);
});

test('a COMMIT that never ends is cut some time after the caller gave up', async () => {
  const controller = new AbortController();
  using ctx = rootContext({ runtime: shop.runtime, signal: controller.signal });
  const work = shop.db.tx(ctx, (tx) => tx.query('INSERT INTO stuck VALUES (1)'));
  await shop.runtime.timers.sleep(50);
  controller.abort();
  await assert.rejects(work, (error) => hasReason(error, 'STORE_OUTCOME_UNKNOWN'));
});

test('a conflict that shows at the COMMIT runs the work again', async () => {
  let attempts = 0;
  const work = async (tx: { query(text: string): Promise<unknown> }): Promise<void> => {
    if (++attempts === 1) await tx.query('INSERT INTO clash VALUES (1)');
    else await tx.query('SELECT 1');
  };
  await shop.db.tx(shop.ctx, work);
  assert.equal(attempts, 2);
  assert.equal(await rows('clash'), 0);
});

test('statements that are sent together are all inside', async () => {
  const work = shop.db.tx(shop.ctx, async (tx) => {
    await Promise.all([1, 2, 3].map((id) => tx.query('INSERT INTO slow VALUES ($1)', [id + 10])));
    assert.equal((await tx.query('SELECT FROM slow WHERE id > 10')).rowCount, 3);
    throw new RangeError('no');
  });
  await assert.rejects(work, RangeError);
  assert.equal((await shop.db.at(shop.ctx).query('SELECT FROM slow WHERE id > 10')).rowCount, 0);
});

test('a transaction cannot be used when it is over', async () => {
  let kept: { query(text: string): Promise<unknown> } | undefined;
  await shop.db.tx(shop.ctx, async (tx) => {
    kept = tx;
    await tx.query('SELECT 1');
  });
  await assert.rejects(
    async () => kept?.query('SELECT 1'),
    (error) => isSoukError(error),
  );
});
