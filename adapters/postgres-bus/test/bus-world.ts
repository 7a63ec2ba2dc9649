// Worlds for tests of the bus: a database for each, on a server that may be killed, and a wire of its own for every client.

import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createEmbeddedPostgres, type EmbeddedAddress } from '@souk/adapter-embedded-postgres';
import {
  createDatabase,
  createPostgresServer,
  type PostgresAddress,
  type PostgresServer,
  parseAddress,
} from '@souk/adapter-postgres';
import { type Context, type Runtime, rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import type { Bus, BusSubscription, Envelope } from '@souk/messaging';
import type { BusWorld } from '@souk/messaging/conformance';
import { type Database, migrate } from '@souk/store';
import { fillFolder } from '../../../tests/support/cluster-cache.ts';
import { scratchFolder } from '../../../tests/support/shop-process.ts';
import { type TcpProxy, tcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { createPostgresBus, type PostgresBusOptions, postgresBusMigrations } from '../src/index.ts';
import { tcpFront } from './tcp-front.ts';

export interface Client {
  readonly bus: Bus;
  readonly wire: TcpProxy;
  readonly db: Database;
}

export interface World extends Required<BusWorld> {
  readonly ctx: Context;
  /** The database of the bus, not over a wire. */
  readonly db: Database;
  /** How another process reaches it. */
  readonly url: string;
  client(options?: Partial<PostgresBusOptions>, around?: (db: Database) => Database): Client;
}

export interface TestServer {
  world(): Promise<World>;
  stop(): Promise<void>;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Clients that a case makes at most. */
const WIRES = 6;

export async function startServer(): Promise<TestServer> {
  const runtime = systemRuntime();
  const folder = scratchFolder();
  await fillFolder(folder, runtime);
  const settings = { fsync: false, full_page_writes: false, max_connections: 200, autovacuum: false };
  const embedded = createEmbeddedPostgres({ folder, runtime, log: silentLogger, settings });
  let admin: EmbeddedAddress | undefined;
  const start = async () => {
    admin = await embedded.start();
    return admin;
  };
  const server = createPostgresServer({ runtime, log: silentLogger, server: { ...embedded, start } });
  await server.start();
  const front = admin?.host.startsWith('/') ? await tcpFront(`${admin.host}/.s.PGSQL.${admin.port}`) : undefined;
  const target = front?.port ?? admin?.port ?? 0;
  const restart = async (): Promise<void> => {
    const before = embedded.pid as number;
    process.kill(before, 'SIGQUIT');
    while (embedded.pid === undefined || embedded.pid === before) await runtime.timers.sleep(20);
  };
  let worlds = 0;
  return {
    world: () => makeWorld({ runtime, server, name: `bus-${worlds++}`, restart, target }),
    stop: async () => {
      await server.stop();
      await front?.close();
    },
  };
}

async function makeWorld(init: {
  readonly runtime: Runtime;
  readonly server: PostgresServer;
  readonly name: string;
  readonly target: number;
  readonly restart: () => Promise<void>;
}): Promise<World> {
  const { runtime, server, name } = init;
  const ctx = rootContext({ runtime });
  const db = await server.open(name, { poolSize: 3 });
  await migrate(db, ctx, [postgresBusMigrations]);
  const url = await server.urlOf(name);
  const address: PostgresAddress = parseAddress(url);
  const wires = await Promise.all(Array.from({ length: WIRES }, () => tcpProxy(init.target)));
  const unused = [...wires];
  const clients: Client[] = [];
  const client: World['client'] = (options = {}, around = (one) => one) => {
    const wire = unused.pop() as TcpProxy;
    const own = createDatabase({
      service: 'bus',
      address: { ...address, host: '127.0.0.1', port: wire.port },
      runtime,
      log: silentLogger,
    });
    const bus = createPostgresBus({ db: around(own), runtime, leaseMs: 1200, ...options });
    const made = { bus, wire, db: own };
    clients.push(made);
    return made;
  };
  return {
    runtime,
    ctx,
    db,
    url,
    client,
    bus: () => client().bus,
    pass: async (ms) => {
      await runtime.timers.sleep(ms);
      // Memory is measured after a long one, by one collection: buffers that one finds are swept beside it, and counted for a while.
      if (ms >= 300) collect();
    },
    kill: async (bus) => {
      const dead = clients.find((one) => one.bus === bus);
      dead?.wire.refuse(true);
      dead?.wire.cut();
      // What it was handling may never end, so nobody waits for it.
      void bus.close();
    },
    restartBroker: init.restart,
    cutConnections: async () => {
      for (const wire of wires) wire.cut();
    },
    slow: async (ms) => {
      for (const wire of wires) wire.delay(ms);
    },
    close: async () => {
      await Promise.all(clients.map((one) => one.db.close()));
      await Promise.all(wires.map((wire) => wire.close()));
      await db.close();
    },
  };
}

export const TYPE = 'bustest.happened.v1';

export const hear = (handle: BusSubscription['handle'], more: Partial<BusSubscription> = {}): BusSubscription => ({
  name: 'listener',
  types: [{ type: TYPE, ordered: true }],
  handle,
  ...more,
});

export function envelopeOf(runtime: Runtime, key: string, number: number, source = '/souk/bustest'): Envelope {
  const data = Buffer.alloc(4);
  data.writeUInt32BE(number);
  return {
    id: runtime.ids.uuid(),
    source,
    type: TYPE,
    schema: 'bustest.v1.Happened',
    key,
    time: new Date(runtime.clock.now()).toISOString(),
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    causationId: undefined,
    data: new Uint8Array(data),
  };
}

export const numberOf = ({ data }: Envelope): number => Buffer.from(data).readUInt32BE(0);

export async function until(runtime: Runtime, what: string, condition: () => unknown, longestMs = 20_000) {
  const endMs = runtime.clock.monotonicMs() + longestMs;
  while (!(await condition())) {
    if (runtime.clock.monotonicMs() > endMs) throw new Error(`never came: ${what}`);
    await runtime.timers.sleep(5);
  }
}
