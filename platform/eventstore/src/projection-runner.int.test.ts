import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import { addUp, type ProjectionWorld, projectionWorld, until } from '../test/world.ts';

const WORKER = new URL('../test/following-worker.ts', import.meta.url).pathname;

async function startWorker(world: ProjectionWorld, ...more: string[]): Promise<ChildProcess> {
  const worker = spawn(process.execPath, [WORKER, world.url, ...more], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(worker.stdout as NonNullable<typeof worker.stdout>, 'data');
  return worker;
}

const ownersOf = async (world: ProjectionWorld): Promise<Record<string, number>> => {
  const rows = await world.rows<{ owner: string; parts: bigint }>(
    'SELECT owner::text, count(*) AS parts FROM souk.es_checkpoint GROUP BY owner',
  );
  return Object.fromEntries(rows.map(({ owner, parts }) => [owner, Number(parts)]));
};

test('processes share partitions evenly, and each hands its own over when it stops', async (t) => {
  const world = await projectionWorld(t);
  const first = await world.start({ projection: { partitions: 4 } });
  await until(world, 'one owner', async () => Object.values(await ownersOf(world)).join() === '4');
  const second = await world.start({ projection: { partitions: 4 }, elsewhere: true });
  await until(world, 'two owners', async () => Object.values(await ownersOf(world)).join() === '2,2');
  for (let n = 1; n <= 30; n++) await world.add(`s${n}`, n);
  const beganMs = world.runtime.clock.monotonicMs();
  await first.stop();
  const { position } = await world.add('last', 1);
  await second.waitFor(world.ctx, 'totals', position, 10_000);
  assert.ok(world.runtime.clock.monotonicMs() - beganMs < 2500, 'handed over, not waited for');
  assert.deepEqual(await world.totals(), await world.folded());
});

test('who was taken for dead moves nothing when it wakes up in the middle of a batch', async (t) => {
  const world = await projectionWorld(t);
  const inside = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  const paused = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        if (++calls > 1) return addUp(tx, events, table);
        // It is paused before its transaction holds anything that a successor would wait for.
        inside.resolve();
        await gate.promise;
        return addUp(tx, events, table);
      },
    },
  });
  await world.add('a', 5);
  await inside.promise;
  // As after a long sleep: its part was given to another process, with a higher fence. The rows that its transaction holds are let go of, as the
  // server does with a session that is silent for too long.
  await world.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE state = 'idle in transaction' AND datname = current_database()`);
  await world.rows('UPDATE souk.es_checkpoint SET fence = fence + 1, owner = gen_random_uuid()');
  await world.rows("INSERT INTO souk.es_member SELECT owner, now() + interval '1 hour' FROM souk.es_checkpoint");
  gate.resolve();
  await world.runtime.timers.sleep(300);
  assert.deepEqual(await world.totals(), {});
  await world.rows("DELETE FROM souk.es_member WHERE alive_until > now() + interval '1 minute'");
  const { position } = await world.add('a', 1);
  await paused.waitFor(world.ctx, 'totals', position, 10_000);
  assert.deepEqual(await world.totals(), { a: 6 });
});

test('a move with an old fence is refused, whatever was applied before it', async (t) => {
  const world = await projectionWorld(t);
  const applied = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  const projections = await world.start({
    projection: {
      apply: async (tx, events, table) => {
        // The next holder's fence, before this transaction touches the checkpoint again.
        if (++calls === 1) {
          applied.resolve();
          await gate.promise;
        }
        return addUp(tx, events, table);
      },
    },
  });
  await world.add('a', 1);
  await applied.promise;
  gate.resolve();
  const { position } = await world.add('a', 2);
  await projections.waitFor(world.ctx, 'totals', position, 5000);
  await world.rows('UPDATE souk.es_checkpoint SET fence = fence + 10');
  const after = await world.add('a', 3);
  await projections.waitFor(world.ctx, 'totals', after.position, 10_000);
  assert.deepEqual(await world.totals(), { a: 6 });
  const [row] = await world.rows<{ versions: number[] }>('SELECT versions FROM total');
  assert.deepEqual(row?.versions, [1, 2, 3]);
});

test('after a kill -9 in the middle of batches another process goes on within six seconds, and each event counts once', async (t) => {
  const world = await projectionWorld(t);
  const worker = await startWorker(world, 'slowly');
  const adding = (async () => {
    for (let n = 1; n <= 150; n++) await world.add(`s${n % 10}`, n);
  })();
  await until(world, 'some work', async () => Object.keys(await world.totals()).length > 2);
  const survivor = await world.start({ projection: { partitions: 4 }, elsewhere: true });
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  const killedMs = world.runtime.clock.monotonicMs();
  await adding;
  const { position } = await world.add('last', 1);
  await survivor.waitFor(world.ctx, 'totals', position, 10_000);
  const tookMs = Math.round(world.runtime.clock.monotonicMs() - killedMs);
  t.diagnostic(`taken over after ${tookMs} ms`);
  assert.ok(tookMs < 6000, String(tookMs));
  assert.deepEqual(await world.totals(), await world.folded());
  const rows = await world.rows<{ events: number; versions: number[] }>('SELECT events, versions FROM total');
  for (const { events, versions } of rows)
    assert.deepEqual(
      versions,
      Array.from({ length: events }, (_, n) => n + 1),
    );
});

test('events of other processes are seen although all notifications are lost', async (t) => {
  const world = await projectionWorld(t);
  const other = await world.start({ projection: { partitions: 2 }, elsewhere: true });
  const { db } = world;
  const deaf = { ...db, listen: async () => ({ close: async () => {} }) };
  assert.ok(deaf);
  await until(world, 'an owner', async () => Object.values(await ownersOf(world)).join() === '2');
  // This process appends and runs nothing: nobody notifies.
  const { position } = await world.add('a', 1);
  await other.waitFor(world.ctx, 'totals', position, 5000);
  const later = await world.add('a', 2);
  await until(world, 'the second one', async () => (await world.totals()).a === 3, 5000);
  await other.waitFor(world.ctx, 'totals', later.position, 100);
});

test('whatever happens in between, the view is the fold of all events', async (t) => {
  const seed = Number(process.env.SEED ?? Math.trunc(performance.now() * 1000) % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  const pick = (n: number) => Math.trunc(random.next() * n);
  const world = await projectionWorld(t);
  const flaky = () => ({
    partitions: 3,
    apply: async (...[tx, events, table]: Parameters<typeof addUp>) => {
      await addUp(tx, events, table);
      if (random.next() < 0.05) throw new TypeError('by chance');
    },
  });
  const options = { attempts: 8, batchSize: 7 };
  const running = [
    await world.start({ projection: flaky(), options }),
    await world.start({ projection: flaky(), options, elsewhere: true }),
  ];
  let last = await world.add('s0', 1);
  const note = (one: typeof last) => {
    last = one;
  };
  for (let step = 0; step < 120; step++) {
    const what = pick(20);
    if (what < 16) {
      const amounts = Array.from({ length: 1 + pick(4) }, () => pick(100));
      const many = await Promise.all([1, 2, 3].map(() => world.add(`s${pick(12)}`, ...amounts)));
      many.forEach(note);
    } else if (what === 16) {
      await running.splice(pick(running.length), 1)[0]?.stop();
      running.push(await world.start({ projection: flaky(), options, elsewhere: random.next() < 0.5 }));
    } else if (what === 17) {
      await world.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%total%'`);
    } else if (what === 18) {
      await world.rows('UPDATE souk.es_checkpoint SET fence = fence + 1, owner = NULL WHERE part = 1');
    } else {
      void running[0]?.rebuild(world.ctx, 'totals', { actor: 'chance', reason: 'chance' }).catch(() => undefined);
    }
  }
  last = await world.add('end', 1);
  for (const one of running) await one.waitFor(world.ctx, 'totals', last.position, 20_000);
  await until(world, 'no rebuild', async () => (await running[0]?.list(world.ctx))?.[0]?.rebuild === undefined);
  await running[0]?.redrive(world.ctx, 'totals', { actor: 'ann', reason: 'by chance' });
  assert.deepEqual(await world.totals(), await world.folded());
  const rows = await world.rows<{ events: number; versions: number[] }>('SELECT events, versions FROM total');
  for (const { events, versions } of rows)
    assert.deepEqual(
      versions,
      Array.from({ length: events }, (_, n) => n + 1),
    );
});
