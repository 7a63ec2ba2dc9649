import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transaction } from '@souk/store';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { APPEND_FUNCTION } from './append-function.ts';
import {
  type Append,
  comparePositions,
  createEventStore,
  type EventStore,
  eventStoreMigrations,
  type Position,
  type RecordedEvent,
  START,
} from './index.ts';

async function world() {
  const on = await testDatabase('order', [eventStoreMigrations], { poolSize: 20 });
  const store = createEventStore({ runtime: on.runtime });
  return { ...on, store, sql: on.db.at(on.ctx) };
}

const one = (stream: string, expected: Append['expected'] = 'any'): Append => ({
  stream,
  expected,
  events: [{ type: 'Happened', data: {} }],
});

/** A transaction that stays open until it is told to end. */
async function held<T>({ db, ctx }: TestDatabase, work: (tx: Transaction) => Promise<T>) {
  const { promise: ending, resolve: end } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<T>();
  const done = db.tx(ctx, async (tx) => {
    begun.resolve(await work(tx));
    await ending;
  });
  done.catch(begun.reject);
  const commit = () => {
    end();
    return done;
  };
  return { result: await begun.promise, commit };
}

/** Resolves when some statement of the database waits for a lock. */
async function untilBlocked({ db, ctx, runtime }: TestDatabase, count = 1): Promise<void> {
  for (;;) {
    const { rows } = await db
      .at(ctx)
      .query<{ n: number }>(
        "SELECT count(*)::int AS n FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT l.granted AND l.locktype = 'advisory' AND d.datname = current_database()",
      );
    if ((rows[0]?.n ?? 0) >= count) return;
    await runtime.timers.sleep(2);
  }
}

const label = ({ stream, version }: { stream: string; version: number | bigint }) => `${stream}/${version}`;

/** What a reader sees who reads on from where it stopped. */
function tail(store: EventStore, on: TestDatabase, limit = 100) {
  const seen: RecordedEvent[] = [];
  let after: Position = START;
  const read = async (): Promise<boolean> => {
    const page = await store.readAll(on.db.at(on.ctx), { after, limit });
    seen.push(...page.events);
    after = page.next;
    return page.head;
  };
  return { seen, read };
}

test('a transaction that commits late is not missed: the number alone loses it, the position does not', async () => {
  const on = await world();
  const { store, sql } = on;
  const reader = tail(store, on);
  let last = 0n;
  const naive: string[] = [];
  const readNaively = async () => {
    const { rows } = await sql.query<{ position: bigint; stream: string; version: bigint }>(
      'SELECT position, stream, version FROM souk.es_event WHERE position > $1 ORDER BY position',
      [last],
    );
    naive.push(...rows.map(label));
    last = rows.at(-1)?.position ?? last;
  };

  const slow = await held(on, (tx) => store.append(tx, one('slow')));
  for (const stream of ['a', 'b', 'c']) await store.appendAlone(on.db, on.ctx, one(stream));
  await readNaively();
  await reader.read();
  assert.deepEqual(naive, ['a/1', 'b/1', 'c/1']);
  assert.deepEqual(reader.seen, [], 'nothing is settled while an older transaction writes');
  assert.deepEqual(
    (await store.readAll(sql, { limit: 9, upTo: 'committed' })).events.map(label),
    ['a/1', 'b/1', 'c/1'],
    'people see what is there',
  );
  await slow.commit();
  await readNaively();
  await reader.read();
  assert.ok(!naive.includes('slow/1'), 'the naive cursor has moved past it');
  assert.deepEqual(reader.seen.map(label), ['slow/1', 'a/1', 'b/1', 'c/1']);
  await on.close();
});

test('versions of a stream come in order to every reader: without the locks first, the later one gets the lower id', async () => {
  const on = await world();
  const { store, db, ctx, sql } = on;
  await store.appendAlone(db, ctx, one('s'));

  // A transaction takes its id, then waits for the stream; meanwhile a younger one appends.
  const attempts: bigint[] = [];
  const { promise: ready, resolve: go } = Promise.withResolvers<void>();
  const { promise: younger, resolve: youngerDone } = Promise.withResolvers<void>();
  const older = db.tx(ctx, async (tx) => {
    const { rows } = await tx.query<{ xid: bigint }>('SELECT pg_current_xact_id()::text::bigint AS xid');
    attempts.push(rows[0]?.xid as bigint);
    go();
    await younger;
    await store.lockStreams(tx, ['s']);
    return store.append(tx, one('s'));
  });
  await ready;
  const first = await store.appendAlone(db, ctx, one('s'));
  youngerDone();
  const second = await older;
  assert.deepEqual([first.version, second.version], [2, 3]);
  assert.equal(attempts.length, 2, 'it was run again, with a younger id');
  assert.ok((attempts[0] as bigint) < first.position.xid);
  assert.ok(comparePositions(first.position, second.position) < 0);
  assert.deepEqual(
    (await store.readAll(sql, { limit: 9 })).events.map(({ version }) => version),
    [1, 2, 3],
  );

  // The same with neither lock nor look at the last id.
  const sabotaged = APPEND_FUNCTION.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION')
    .replace('PERFORM pg_advisory_xact_lock(hash);', 'PERFORM hash;')
    .replaceAll('head.xid > own', 'false');
  assert.notEqual(sabotaged.length, APPEND_FUNCTION.length);
  await db.tx(ctx, (tx) => tx.script(sabotaged));
  const { promise: goOn, resolve: proceed } = Promise.withResolvers<void>();
  const { promise: hasId, resolve: idTaken } = Promise.withResolvers<void>();
  const careless = db.tx(ctx, async (tx) => {
    await tx.query('SELECT pg_current_xact_id()');
    idTaken();
    await goOn;
    return store.append(lying(tx), one('s'));
  });
  await hasId;
  await store.appendAlone(db, ctx, one('s'));
  proceed();
  await careless;
  assert.deepEqual(
    (await store.readAll(sql, { limit: 9 })).events.map(({ version }) => version),
    [1, 2, 3, 5, 4],
  );
  await on.close();

  /** Says that the stream was locked. */
  function lying(tx: Transaction): Transaction {
    return new Proxy(tx, {
      get: (target, key) => {
        if (key === 'query')
          return (text: string, values: unknown[]) =>
            target.query(text, values.length === 17 ? values.with(2, '{2}') : values);
        return Reflect.get(target, key);
      },
    });
  }
});

test('an append after a write is refused unless the stream was locked before', async () => {
  const { db, ctx, store, close } = await world();
  await db.at(ctx).query('CREATE TABLE note (text text)');
  const refused = { reason: 'EVENTSTORE_STREAM_NOT_LOCKED' };
  const note = "INSERT INTO note VALUES ('x')";
  await assert.rejects(
    db.tx(ctx, async (tx) => {
      await tx.query(note);
      await store.append(tx, one('s'));
    }),
    refused,
  );
  await assert.rejects(
    db.tx(ctx, async (tx) => {
      tx.defer(note);
      await store.append(tx, one('s'));
    }),
    refused,
  );
  await assert.rejects(
    db.tx(ctx, async (tx) => {
      await store.append(tx, one('s'));
      await store.appendAll(tx, [one('s'), one('t')]);
    }),
    refused,
  );
  await db.tx(ctx, async (tx) => {
    await store.lockStreams(tx, ['s', 't']);
    await tx.query(note);
    await store.append(tx, one('s'));
    await store.append(tx, one('s'));
    await store.append(tx, one('t'));
  });
  await db.tx(ctx, async (tx) => {
    assert.equal((await store.readForUpdate(tx, 's')).length, 2);
    await tx.query(note);
    await store.append(tx, one('s', 2));
  });
  await close();
});

test('what is read for update stays true until the transaction ends', async () => {
  const on = await world();
  const { db, ctx, store } = on;
  await store.appendAlone(db, ctx, one('s'));
  const first = await held(on, async (tx) => {
    const events = await store.readForUpdate(tx, 's');
    return store.append(tx, one('s', events.length));
  });
  const second = db.tx(ctx, async (tx) => {
    const events = await store.readForUpdate(tx, 's');
    return store.append(tx, one('s', events.length));
  });
  await untilBlocked(on);
  await first.commit();
  assert.deepEqual([first.result.version, (await second).version], [2, 3]);
  await on.close();
});

test('transactions that lock the same streams in any order do not deadlock', async () => {
  const { db, ctx, store, close } = await world();
  const streams = Array.from({ length: 12 }, (_, n) => `s-${n}`);
  const rotated = (by: number) => [...streams.slice(by), ...streams.slice(0, by)];
  await Promise.all(
    Array.from({ length: 24 }, (_, n) =>
      db.tx(
        ctx,
        (tx) =>
          store.appendAll(
            tx,
            rotated(n % 12).map((stream) => one(stream)),
          ),
        { attempts: 1 },
      ),
    ),
  );
  for (const stream of streams) assert.equal((await store.read(db.at(ctx), stream)).length, 24);
  await close();
});

test('whatever writers do, readers who tail see every event once, versions in order, and never block a writer', async () => {
  const on = await world();
  const { db, ctx, store, runtime } = on;
  const streams = Array.from({ length: 20 }, (_, n) => `hot-${n}`);
  const pick = () => streams[Math.floor(runtime.random.next() * streams.length)] as string;
  let committed = 0;
  let writing = true;

  const writer = async (): Promise<void> => {
    for (let round = 0; round < 40; round++) {
      const dice = runtime.random.next();
      try {
        if (dice < 0.4) {
          await store.appendAlone(db, ctx, one(pick()));
          committed++;
        } else {
          const names = [...new Set([pick(), pick(), pick()])];
          await db.tx(ctx, async (tx) => {
            await store.appendAll(
              tx,
              names.map((name) => one(name)),
            );
            if (dice > 0.7) await tx.query('SELECT pg_sleep(0.003)');
            if (dice > 0.9) throw rollback;
          });
          committed += names.length;
        }
      } catch (error) {
        if (error !== rollback) throw error;
      }
    }
  };
  const rollback = new TypeError('changed its mind');

  const readers = [1, 7, 100].map((limit) => tail(store, on, limit));
  const reading = readers.map(async ({ read }) => {
    for (let head = false; writing || !head; ) {
      head = await read();
      if (head) await runtime.timers.sleep(1);
    }
  });
  await Promise.all(Array.from({ length: 8 }, writer));
  writing = false;
  await Promise.all(reading);
  // What was committed after a reader last looked.
  for (const { read } of readers) while (!(await read()));

  for (const { seen } of readers) {
    assert.equal(seen.length, committed);
    const versions = new Map<string, number>();
    for (const [index, { stream, version, position }] of seen.entries()) {
      assert.equal(version, (versions.get(stream) ?? 0) + 1, `${stream} in order`);
      versions.set(stream, version);
      const before = seen[index - 1];
      assert.ok(before === undefined || comparePositions(before.position, position) < 0);
    }
  }
  assert.deepEqual(readers[0]?.seen.map(label), readers[2]?.seen.map(label));
  await on.close();
});

test('a reader waits for no writer, and a writer for no reader', async () => {
  const on = await world();
  const { db, ctx, store, sql } = on;
  await store.appendAlone(db, ctx, one('s'));
  const writer = await held(on, (tx) => store.append(tx, one('s')));
  const reader = await held(on, (tx) => store.readAll(tx, { limit: 10 }));
  assert.deepEqual(reader.result.events.map(label), ['s/1']);
  await store.appendAlone(db, ctx, one('t'));
  await writer.commit();
  await reader.commit();
  assert.equal((await store.readAll(sql, { limit: 10 })).events.length, 3);
  await on.close();
});
