import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootContext, systemRuntime } from '@souk/kernel';
import { createInProcessBus } from '@souk/messaging';
import { defineService } from '@souk/service';
import { type Database, type DatabaseServer, idempotencyMigrations, migrate } from '@souk/store';
import { createTelemetryHub } from '@souk/telemetry';
import { CounterService, TellerService } from '../../../tests/support/corner/contract.ts';
import { testServer } from '../../../tests/support/database.ts';
import { counter, teller } from '../test/corner.ts';
import { type AnyService, createHost, type HostOptions } from './index.ts';

const runtime = systemRuntime();
const user = () => rootContext({ runtime, caller: { userId: 'ada', roles: ['customer'] }, timeoutMs: 10_000 });

/** Databases of a host of its own on the server of this process. */
async function databasesFor(log: string[]): Promise<DatabaseServer & { readonly open_: () => number }> {
  const { server } = await testServer();
  const own = runtime.ids.uuid().slice(-8);
  let open = 0;
  return {
    start: async () => void log.push('start databases'),
    open: async (service, options) => {
      const db: Database = await server.open(`${service}-${own}`, options);
      open += 1;
      return {
        name: db.name,
        at: (ctx) => db.at(ctx),
        tx: (ctx, work, more) => db.tx(ctx, work, more),
        listen: (channel, handlers) => db.listen(channel, handlers),
        close: async () => {
          open -= 1;
          log.push(`close ${service}`);
          await db.close();
        },
      };
    },
    stop: async () => void log.push('stop databases'),
    describe: () => 'test',
    open_: () => open,
  };
}

async function world(services: (log: string[]) => readonly AnyService[], more: Partial<HostOptions> = {}) {
  const log: string[] = [];
  const lines: string[] = [];
  const databases = await databasesFor(log);
  const telemetry = createTelemetryHub({
    runtime,
    processMetrics: false,
    destination: { write: (text: string) => void lines.push(text) } as never,
  });
  const host = createHost({
    runtime,
    telemetry,
    services: services(log),
    databases,
    bus: createInProcessBus({ runtime }),
    settings: { counter: { step: 10 }, teller: {} },
    ...more,
  });
  const seen = async (line: string) => {
    while (!log.includes(line)) await runtime.timers.sleep(2);
  };
  return { host, log, lines, databases, telemetry, seen };
}

const both = (log: string[]) => [counter(log), teller(log)];

test('two services of one process call each other, hear each other, and run sagas and jobs', async () => {
  const { host, seen, telemetry } = await world(both);
  await host.lifecycle.start();
  const counting = host.client(CounterService, 'test');
  assert.equal((await counting.increase(user(), { name: 'a', by: 2 })).value, 20);
  const { text } = await host.client(TellerService, 'test').tell(user(), { name: 'a' });
  assert.equal(text, 'ada asked: a is 20');
  for (const line of ['heard a 20', 'saga a', 'tick']) await seen(line);
  assert.match(telemetry.exposition(), /business_events_total\{.*event="increased".*\} 1/);
  await host.lifecycle.stop();
});

test('it starts from the database up and stops in reverse; after it nothing runs', async () => {
  const progress: string[] = [];
  const { host, log, seen, databases } = await world(both, { onProgress: (step) => void progress.push(step) });
  await host.lifecycle.start();
  await seen('tick');
  await host.lifecycle.stop();
  const steps = log.filter((line) => line !== 'tick');
  assert.deepEqual(steps.slice(0, 1), ['start databases']);
  assert.deepEqual(steps.slice(1, 3).sort(), ['start counter', 'start teller']);
  assert.deepEqual(steps.slice(3, 5).sort(), ['stop counter', 'stop teller']);
  assert.deepEqual(steps.slice(5, 7).sort(), ['close counter', 'close teller']);
  assert.deepEqual(steps.slice(7), ['stop databases']);
  assert.ok(log.lastIndexOf('tick') < log.indexOf('stop counter'));
  assert.equal(databases.open_(), 0);
  assert.deepEqual(progress, ['starting the database', 'preparing the databases', 'starting the services']);
});

test('a callee that nobody serves is named before anything starts', async () => {
  await assert.rejects(
    world((log) => [teller(log)]),
    (error: Error & { reason?: string }) => {
      assert.equal(error.reason, 'HOST_CALLEE_MISSING');
      assert.match(error.message, /teller.*corner\.v1\.CounterService/);
      return true;
    },
  );
  const { host } = await world((log) => [counter(log)]);
  assert.throws(() => host.client(TellerService, 'test'), { reason: 'HOST_CALLEE_MISSING' });
});

test('a service that is declared twice is refused', async () => {
  await assert.rejects(
    world((log) => [counter(log), counter(log)]),
    { reason: 'HOST_SERVICE_TWICE' },
  );
});

test('a start that fails closes every database, and says which part failed', async () => {
  const broken = defineService({
    name: 'broken',
    serves: [],
    start: () => {
      throw new TypeError('a bug');
    },
  });
  const { host, databases, log } = await world((lines) => [...both(lines), broken]);
  await assert.rejects(host.lifecycle.start(), /databases.*a bug/);
  assert.equal(databases.open_(), 0);
  assert.equal(log.at(-1), 'stop databases');
});

test('a migration that fails stops the start', async () => {
  const broken = defineService({
    name: 'broken',
    serves: [],
    migrations: [{ id: 'broken/0001-x', sql: 'create nonsense' }],
    start: () => ({}) as never,
  });
  const { host, databases } = await world(() => [broken]);
  await assert.rejects(host.lifecycle.start(), { reason: 'STORE_MIGRATION_FAILED' });
  assert.equal(databases.open_(), 0);
});

test('a part that cannot be stopped is logged, and the others stop all the same', async () => {
  const stubborn = defineService({
    name: 'stubborn',
    serves: [],
    start: (deps) => {
      deps.onStop(async () => {
        throw new TypeError('no way');
      });
      return {} as never;
    },
  });
  const { host, log, lines, databases } = await world((all) => [stubborn, counter(all)]);
  await host.lifecycle.start();
  await host.lifecycle.stop();
  assert.ok(log.includes('stop counter'));
  assert.equal(databases.open_(), 0);
  assert.match(lines.join(''), /did not stop cleanly/);
});

test('answers to idempotency keys are forgotten when their time is over', async () => {
  const { host, databases } = await world((log) => [counter(log)]);
  const { open } = databases;
  let db: Database | undefined;
  Object.assign(databases, {
    open: async (service: string) => {
      db ??= await open(service);
      return db;
    },
  });
  await databases.open('counter');
  const ctx = rootContext({ runtime });
  await migrate(db as Database, ctx, [idempotencyMigrations]);
  const sql = (db as Database).at(ctx);
  await sql.query(
    `insert into souk.idempotency select 's', n::text, '\\x00', '\\x00', now() - interval '2 days',
       now() + (case n when 1 then interval '1 day' else interval '-1 day' end) from generate_series(1, 1500) n`,
  );
  await host.lifecycle.start();
  while ((await sql.query('select from souk.idempotency')).rowCount > 1) await runtime.timers.sleep(5);
  await host.lifecycle.stop();
});
