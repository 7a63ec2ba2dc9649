import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hasReason, isSoukError, kernelErrors, type Runtime, rootContext, type SoukError } from '@souk/kernel';
import type { Database, Transaction } from './database.ts';

export interface ConformanceSetup {
  /** An empty database whose pool has exactly {@link POOL_SIZE} connections. */
  readonly db: Database;
  readonly runtime: Runtime;
  close(): Promise<void>;
}

/** Few, so that a test can use them up. */
export const POOL_SIZE = 3;

const TABLE =
  'CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL CONSTRAINT not_negative CHECK (balance >= 0))';

/** What every implementation of the store port must do. Needs a real database and real time. */
export function databaseConformance(name: string, setup: () => Promise<ConformanceSetup>): void {
  describe(`${name} is a database`, () => {
    let db: Database;
    let runtime: Runtime;
    let close: () => Promise<void>;

    const ctx = (timeoutMs?: number) => rootContext({ runtime, timeoutMs });
    const balance = async (id: number): Promise<number | undefined> =>
      (await db.at(ctx()).query<{ balance: number }>('SELECT balance FROM account WHERE id = $1', [id])).rows[0]
        ?.balance;
    const put = (id: number, amount: number) =>
      db
        .at(ctx())
        .query('INSERT INTO account VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance', [
          id,
          amount,
        ]);
    const fails = (work: Promise<unknown>, reason: string): Promise<void> =>
      assert.rejects(
        work,
        (error) => hasReason(error, reason) || assert.fail(`${reason} wanted, got ${(error as SoukError).reason}`),
      );
    /** All connections still work: none was left in a transaction or cancelled late. */
    const isHealthy = async (): Promise<void> => {
      const work = (tx: Transaction) => tx.query("SELECT pg_sleep(0.02), current_setting('statement_timeout') AS t");
      for (const { rows } of await Promise.all(Array.from({ length: POOL_SIZE }, () => db.tx(ctx(), work)))) {
        assert.equal((rows[0] as { t: string }).t, '0');
      }
    };

    before(async () => {
      ({ db, runtime, close } = await setup());
      await db.at(ctx()).query(TABLE);
    });
    after(() => close());

    test('a transaction that ends well is there for everybody', async () => {
      const result = await db.tx(ctx(), async (tx) => {
        await tx.query('INSERT INTO account VALUES ($1, $2)', [1, 10]);
        assert.equal(await balance(1), undefined);
        return 'done';
      });
      assert.equal(result, 'done');
      assert.equal(await balance(1), 10);
    });

    test('a transaction that throws leaves nothing, and its error arrives as it was thrown', async () => {
      const thrown = new RangeError('no');
      const work = db.tx(ctx(), async (tx) => {
        await tx.query('INSERT INTO account VALUES (2, 1)');
        throw thrown;
      });
      await assert.rejects(work, (error) => error === thrown);
      assert.equal(await balance(2), undefined);
      await isHealthy();
    });

    test('a transaction whose statement failed does not look committed', async () => {
      const work = db.tx(ctx(), async (tx) => {
        await tx.query('INSERT INTO account VALUES (3, 1)');
        await tx.query('INSERT INTO account VALUES (3, 1)').catch(() => undefined);
      });
      await fails(work, 'STORE_TRANSACTION_ABORTED');
      assert.equal(await balance(3), undefined);
    });

    test('the first statement of a transaction is inside of it', async () => {
      const work = db.tx(ctx(), async (tx) => {
        await tx.query('INSERT INTO account VALUES (4, 1)');
        await tx.query('INSERT INTO account VALUES (4, 1)');
      });
      await fails(work, 'STORE_UNIQUE_VIOLATION');
      assert.equal(await balance(4), undefined);
    });

    test('a transaction without statements is no transaction and still calls back', async () => {
      const called: string[] = [];
      await db.tx(ctx(), async (tx) => tx.afterCommit(() => called.push('a')));
      assert.deepEqual(called, ['a']);
    });

    test('afterCommit runs in order after the commit, and not on rollback', async () => {
      const called: string[] = [];
      await db.tx(ctx(), async (tx) => {
        tx.afterCommit(() => called.push('first'));
        await tx.query('SELECT 1');
        tx.afterCommit(() => called.push('second'));
        assert.deepEqual(called, []);
      });
      assert.deepEqual(called, ['first', 'second']);
      const refused = db.tx(ctx(), async (tx) => {
        tx.afterCommit(() => called.push('never'));
        await tx.query('INSERT INTO account VALUES (5, -1)');
      });
      await fails(refused, 'STORE_CHECK_VIOLATION');
      assert.deepEqual(called, ['first', 'second']);
    });

    test('deferred statements run in the order they were given, with the next statement or the COMMIT', async () => {
      await db.tx(ctx(), async (tx) => {
        tx.defer('INSERT INTO account VALUES (60, 1)');
        tx.defer('UPDATE account SET balance = balance + $1 WHERE id = 60', [4]);
        const { rows } = await tx.query<{ balance: number }>('SELECT balance FROM account WHERE id = 60');
        assert.equal(rows[0]?.balance, 5);
        tx.defer('UPDATE account SET balance = balance * 2 WHERE id = 60');
      });
      assert.equal(await balance(60), 10);
    });

    test('a transaction of deferred statements alone commits', async () => {
      await db.tx(ctx(), async (tx) => tx.defer('INSERT INTO account VALUES (61, 7)'));
      assert.equal(await balance(61), 7);
    });

    test('a deferred statement that fails undoes the transaction with its own error, and the connection lives on', async () => {
      const called: string[] = [];
      for (let n = 0; n < POOL_SIZE + 1; n++) {
        const refused = db.tx(ctx(), async (tx) => {
          tx.afterCommit(() => called.push('never'));
          await tx.query('INSERT INTO account VALUES (62, 1)');
          tx.defer('INSERT INTO account VALUES (63, -1)');
          tx.defer('INSERT INTO account VALUES (64, 1)');
        });
        await fails(refused, 'STORE_CHECK_VIOLATION');
      }
      const earlier = db.tx(ctx(), async (tx) => {
        tx.defer('INSERT INTO account VALUES (63, -1)');
        await tx.query('SELECT 1');
      });
      await fails(earlier, 'STORE_CHECK_VIOLATION');
      assert.deepEqual(called, []);
      const { rows } = await db.at(ctx()).query('SELECT 1 FROM account WHERE id IN (62, 63, 64)');
      assert.equal(rows.length, 0);
    });

    test('deferred statements are forgotten when the work throws', async () => {
      const thrown = db.tx(ctx(), async (tx) => {
        tx.defer('INSERT INTO account VALUES (65, 1)');
        throw kernelErrors.CANCELED();
      });
      await fails(thrown, 'SOUK_CANCELED');
      assert.equal((await db.at(ctx()).query('SELECT 1 FROM account WHERE id = 65')).rows.length, 0);
    });

    test('a serialization failure runs the work again', async () => {
      await put(10, 0);
      const met = meeting(2);
      let attempts = 0;
      const addOne = async (tx: Transaction): Promise<void> => {
        const { rows } = await tx.query<{ balance: number }>('SELECT balance FROM account WHERE id = 10');
        if (++attempts <= 2) await met();
        await tx.query('UPDATE account SET balance = $1 WHERE id = 10', [(rows[0]?.balance ?? 0) + 1]);
      };
      const isolation = { isolation: 'serializable' } as const;
      await Promise.all([db.tx(ctx(), addOne, isolation), db.tx(ctx(), addOne, isolation)]);
      assert.equal(await balance(10), 2);
      assert.equal(attempts, 3);
    });

    test('a deadlock runs the work again', async () => {
      await Promise.all([put(11, 0), put(12, 0)]);
      const met = meeting(2);
      let attempts = 0;
      const both = (first: number, second: number) => async (tx: Transaction) => {
        const add = 'UPDATE account SET balance = balance + 1 WHERE id = $1';
        await tx.query(add, [first]);
        if (++attempts <= 2) await met();
        await tx.query(add, [second]);
      };
      await Promise.all([db.tx(ctx(), both(11, 12)), db.tx(ctx(), both(12, 11))]);
      assert.deepEqual([await balance(11), await balance(12)], [2, 2]);
      assert.equal(attempts, 3);
    });

    test('a conflict without end is given up after the attempts that were allowed', async () => {
      let attempts = 0;
      const work = db.tx(
        ctx(),
        async (tx) => {
          attempts++;
          await tx.script("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$");
        },
        { attempts: 3 },
      );
      await fails(work, 'STORE_CONFLICT');
      assert.equal(attempts, 3);
    });

    test('a read-only transaction cannot write', async () => {
      await fails(
        db.tx(ctx(), (tx) => tx.query('INSERT INTO account VALUES (20, 1)'), { readOnly: true }),
        'STORE_QUERY_FAILED',
      );
    });

    test('violations are told apart and name the constraint', async () => {
      await put(30, 1);
      const sql = db.at(ctx());
      await fails(sql.query('INSERT INTO account VALUES (30, 1)'), 'STORE_UNIQUE_VIOLATION');
      await sql.query('CREATE TABLE entry (account int CONSTRAINT of_account REFERENCES account)');
      await fails(sql.query('INSERT INTO entry VALUES (999)'), 'STORE_FOREIGN_KEY_VIOLATION');
      await assert.rejects(
        sql.query('INSERT INTO account VALUES ($1, $2)', [31, -424242]),
        (error) =>
          isSoukError(error) &&
          error.details.constraint === 'not_negative' &&
          // Values of rows are in no part of it.
          !JSON.stringify(error, Object.getOwnPropertyNames(error)).includes('424242') &&
          !JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)).includes('424242'),
      );
      await fails(sql.query('SELECT * FROM nowhere'), 'STORE_QUERY_FAILED');
      await isHealthy();
    });

    test('values and columns keep their types', async () => {
      const at = new Date('2026-02-03T04:05:06.789Z');
      const { rows } = await db.at(ctx()).query(
        `SELECT $1::int8 AS big, $2::numeric AS exact, $3::timestamptz AS at, $4::jsonb AS doc, $5::bytea AS bytes,
                  $6::text[] AS texts, $7::int8[] AS bigs, '2026-02-03'::date AS day, true AS yes, NULL AS nothing, 7::int4 AS small`,
        [9007199254740993n, '0.10', at, JSON.stringify({ a: [1, 'ü'] }), Uint8Array.of(0, 255), ['a,b', '"'], [1n, 2n]],
      );
      const { bytes, ...rest } = rows[0] as { bytes: Uint8Array };
      assert.deepEqual(rest, {
        big: 9007199254740993n,
        exact: '0.10',
        at,
        doc: { a: [1, 'ü'] },
        texts: ['a,b', '"'],
        bigs: [1n, 2n],
        day: '2026-02-03',
        yes: true,
        nothing: null,
        small: 7,
      });
      assert.ok(bytes instanceof Uint8Array);
      assert.deepEqual([...bytes], [0, 255]);
    });

    test('text sorts by code point', async () => {
      const { rows } = await db
        .at(ctx())
        .query<{ t: string }>("SELECT t FROM (VALUES ('b'), ('Z'), ('a'), ('ä'), ('A')) v(t) ORDER BY t");
      assert.deepEqual(
        rows.map(({ t }) => t),
        ['A', 'Z', 'a', 'b', 'ä'],
      );
    });

    test('statements are prepared once per connection', async () => {
      await db.tx(ctx(), async (tx) => {
        for (let i = 0; i < 3; i++) await tx.query('/* prepared-once */ SELECT $1::int', [i]);
        const { rows } = await tx.query<{ uses: bigint }>(
          "SELECT generic_plans + custom_plans AS uses FROM pg_prepared_statements WHERE statement LIKE '/* prepared-once%'",
        );
        assert.deepEqual(rows, [{ uses: 3n }]);
      });
    });

    test('a table that changes under a prepared statement is no error', async () => {
      const sql = db.at(ctx());
      await sql.query('CREATE TABLE changing (a int)');
      const select = 'SELECT * FROM changing';
      await Promise.all(Array.from({ length: POOL_SIZE }, () => sql.query(select)));
      await sql.query('ALTER TABLE changing ADD b int');
      await Promise.all(Array.from({ length: POOL_SIZE }, () => sql.query(select)));
      await sql.query('ALTER TABLE changing ADD c int');
      await Promise.all(Array.from({ length: POOL_SIZE }, () => db.tx(ctx(), (tx) => tx.query(select))));
    });

    test('a statement ends with its deadline, in the database too', async () => {
      using short = ctx(60);
      await assert.rejects(
        db.at(short).query('SELECT pg_sleep(20)'),
        (error) => isSoukError(error) && error.code === 'deadline_exceeded',
      );
      await nothingRuns();
      await isHealthy();
    });

    test('a transaction ends with its deadline, in the database too', async () => {
      using short = ctx(60);
      const work = db.tx(short, (tx) => tx.query('SELECT pg_sleep(20)'));
      await assert.rejects(work, (error) => isSoukError(error) && error.code === 'deadline_exceeded');
      await nothingRuns();
      await isHealthy();
    });

    test('the database itself knows the deadline of a transaction', async () => {
      using limited = ctx(5000);
      const { rows } = await db.tx(limited, (tx) =>
        tx.query<{ t: string }>("SELECT current_setting('statement_timeout') AS t"),
      );
      assert.match(rows[0]?.t ?? '', /^(4\d\d\dms|5s)$/);
      await isHealthy();
    });

    test('a caller that gives up frees the connection', async () => {
      const controller = new AbortController();
      using given = rootContext({ runtime, signal: controller.signal });
      const work = [db.at(given).query('SELECT pg_sleep(20)'), db.tx(given, (tx) => tx.query('SELECT pg_sleep(20)'))];
      const refused = work.map((promise) => fails(promise, 'SOUK_CANCELED'));
      await runtime.timers.sleep(50);
      controller.abort();
      await Promise.all(refused);
      await nothingRuns();
      await isHealthy();
      await fails(db.at(given).query('SELECT 1'), 'SOUK_CANCELED');
    });

    test('a transaction that is given up between two statements is undone', async () => {
      const controller = new AbortController();
      using given = rootContext({ runtime, signal: controller.signal });
      const work = db.tx(given, async (tx) => {
        await tx.query('INSERT INTO account VALUES (40, 1)');
        controller.abort();
      });
      await fails(work, 'SOUK_CANCELED');
      assert.equal(await balance(40), undefined);
      await isHealthy();
    });

    test('whoever waits for a connection waits no longer than the deadline, and others get theirs in turn', async () => {
      const gates = Array.from({ length: POOL_SIZE }, () => Promise.withResolvers<void>());
      const taken = gates.map(({ promise }) =>
        db.tx(ctx(), async (tx) => {
          await tx.query('SELECT 1');
          await promise;
        }),
      );
      using short = ctx(40);
      const order: number[] = [];
      const patient = [1, 2, 3].map((n) =>
        db
          .at(ctx())
          .query('SELECT 1')
          .then(() => order.push(n)),
      );
      await fails(db.at(short).query('SELECT 1'), 'STORE_POOL_EXHAUSTED');
      gates[0]?.resolve();
      await Promise.all(patient);
      assert.deepEqual(order, [1, 2, 3]);
      for (const gate of gates) gate.resolve();
      await Promise.all(taken);
    });

    test('a lost connection is an error for whoever used it, and for nobody after', async () => {
      await isHealthy();
      const lost = db.tx(ctx(), async (tx) => {
        await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
      });
      await fails(lost, 'STORE_UNAVAILABLE');
      await fails(db.at(ctx()).query('SELECT pg_terminate_backend(pg_backend_pid())'), 'STORE_OUTCOME_UNKNOWN');
      await isHealthy();
    });

    test('a listener hears what is said after it listens, also after its connection was lost', async () => {
      const heard: string[] = [];
      const reconnected = Promise.withResolvers<void>();
      let waiting = Promise.withResolvers<void>();
      const listener = await db.listen('news "1"', {
        onNotify: (payload) => {
          heard.push(payload);
          waiting.resolve();
        },
        onReconnect: () => reconnected.resolve(),
      });
      const say = (text: string) => db.at(ctx()).query('SELECT pg_notify(\'news "1"\', $1)', [text]);
      await say('one');
      await waiting.promise;
      waiting = Promise.withResolvers();
      await db
        .at(ctx())
        .query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
        );
      await reconnected.promise;
      await say('two');
      await waiting.promise;
      await listener.close();
      await say('three');
      assert.deepEqual(heard, ['one', 'two']);
      await isHealthy();
    });

    const nothingRuns = async (): Promise<void> => {
      const { rows } = await db
        .at(ctx())
        .query(
          "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()",
        );
      assert.deepEqual(rows, []);
    };
  });
}

/** Everybody waits until `count` have come. */
function meeting(count: number): () => Promise<void> {
  const all = Promise.withResolvers<void>();
  let here = 0;
  return () => {
    if (++here === count) all.resolve();
    return all.promise;
  };
}
