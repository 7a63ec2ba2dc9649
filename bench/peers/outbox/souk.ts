// One service publishes in transactions of its own, another one handles each event once, in one process: latency at light load, then as
// many as go through.

import { performance } from 'node:perf_hooks';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createPostgresServer } from '@souk/adapter-postgres';
import { type OrderDelivered, OrderDeliveredSchema } from '@souk/contracts/orders/v1/events';
import { rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import { createMessaging, messagingMigrations } from '@souk/messaging';
import { migrate } from '@souk/store';
import { silentTelemetry } from '@souk/telemetry';
import { percentile } from '../../lib/result.ts';
import { createBenchBus } from './buses.ts';

export interface OutboxOrder {
  /** `in-process`, `postgres`, or the URL of a broker. */
  readonly transport: string;
  readonly busUrl: string;
  readonly publisherUrl: string;
  readonly consumerUrl: string;
  /** Light load: transactions per second, for so long. */
  readonly perSecond: number;
  readonly seconds: number;
  /** Full load: events in all, each in a transaction of its own, from so many writers. */
  readonly burst: number;
  readonly writers: number;
}

export interface OutboxReport {
  readonly latenciesMs: { readonly p50: number; readonly p99: number };
  readonly perSecond: number;
  readonly violations: readonly string[];
}

// Timers of the platform do not keep a process alive.
setInterval(() => {}, 2 ** 30);
const order = JSON.parse(process.argv[2] as string) as OutboxOrder;
const runtime = systemRuntime();
const telemetry = silentTelemetry(runtime);
const ctx = rootContext({ runtime });
const server = createPostgresServer({
  runtime,
  log: silentLogger,
  serviceUrls: { publisher: order.publisherUrl, consumer: order.consumerUrl, bus: order.busUrl },
});
await server.start();
const publisherDb = await server.open('publisher', { poolSize: 10 });
const consumerDb = await server.open('consumer', { poolSize: 10 });
await migrate(publisherDb, ctx, [messagingMigrations]);
await migrate(consumerDb, ctx, [messagingMigrations]);
await consumerDb.tx(ctx, (tx) =>
  tx.script('CREATE TABLE IF NOT EXISTS effect (key text NOT NULL, n bigint GENERATED ALWAYS AS IDENTITY)'),
);
const bus = await createBenchBus(order, { server, runtime, telemetry, ctx });

const committed = new Map<string, number>();
let latencies: number[] = [];
let handled = 0;
let onHandled = (): void => {};
const shared = { bus, runtime, telemetry };
const consumer = createMessaging({
  ...shared,
  service: 'consumer',
  db: consumerDb,
  publishes: [],
  subscriptions: [
    {
      schema: OrderDeliveredSchema,
      ordered: true,
      handle: async (_ctx, event, delivery) => {
        const { orderId } = event as OrderDelivered;
        const atMs = committed.get(orderId);
        if (atMs !== undefined) latencies.push(performance.now() - atMs);
        await delivery.once((tx) => tx.query('INSERT INTO effect (key) VALUES ($1)', [orderId]));
        handled++;
        onHandled();
      },
    },
  ],
});
const publisher = createMessaging({
  ...shared,
  service: 'publisher',
  db: publisherDb,
  publishes: [OrderDeliveredSchema],
  subscriptions: [],
});
await bus.start();
await consumer.start();
await publisher.start();

const at = timestampFromMs(runtime.clock.now());
const userId = `usr_${runtime.ids.uuid()}`;
const published: string[] = [];
const publish = async (): Promise<void> => {
  const orderId = `ord_${runtime.ids.uuid()}`;
  published.push(orderId);
  await publisherDb.tx(ctx, async (tx) => {
    await publisher.publisher.publish(tx, OrderDeliveredSchema, { orderId, userId, at });
    // The clock starts when the commit is acknowledged.
    tx.afterCommit(() => committed.set(orderId, performance.now()));
  });
};
const allHandled = (count: number): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  onHandled = () => {
    if (handled >= count) resolve();
  };
  onHandled();
  return promise;
};

/** @param perSecond Transactions that begin each second, whatever becomes of those before. */
async function lightLoad(perSecond: number, seconds: number): Promise<void> {
  const startMs = performance.now();
  const running: Promise<void>[] = [];
  for (let n = 0; n < perSecond * seconds; n++) {
    const waitMs = startMs + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    running.push(publish());
  }
  await Promise.all(running);
  await allHandled(published.length);
}

await lightLoad(order.perSecond, 1);
latencies = [];
await lightLoad(order.perSecond, order.seconds);
const light = latencies;
latencies = [];

const startMs = performance.now();
let begun = 0;
const writer = async (): Promise<void> => {
  while (begun++ < order.burst) await publish();
};
await Promise.all(Array.from({ length: order.writers }, writer));
await allHandled(published.length);
const perSecond = order.burst / ((performance.now() - startMs) / 1000);

await publisher.stop();
await consumer.stop();
await bus.close();
const {
  rows: [row],
} = await consumerDb
  .at(ctx)
  .query<{ effects: number; keys: number }>(
    'SELECT count(*)::int AS effects, count(DISTINCT key)::int AS keys FROM effect WHERE key = ANY ($1)',
    [published],
  );
const {
  rows: [left],
} = await publisherDb.at(ctx).query<{ left: number }>('SELECT count(*)::int AS left FROM souk.outbox');
const violations = [
  row?.effects !== published.length && `${row?.effects} effects of ${published.length} events`,
  row?.keys !== published.length && `${row?.keys} of ${published.length} events had an effect`,
  left?.left !== 0 && `${left?.left} events are left in the outbox`,
].filter((one) => one !== false);
const report: OutboxReport = {
  latenciesMs: { p50: percentile(light, 0.5), p99: percentile(light, 0.99) },
  perSecond,
  violations,
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
