// A database of its own for every test that asks, on one PostgreSQL per test process.

import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedPostgres, type EmbeddedAddress, type EmbeddedPostgres } from '@souk/adapter-embedded-postgres';
import {
  createDatabase,
  createPostgresServer,
  type PostgresAddress,
  type PostgresServer,
} from '@souk/adapter-postgres';
import { type Context, type Runtime, rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import { type Database, type Migration, migrate } from '@souk/store';
import { fillFolder } from './cluster-cache.ts';

export interface TestDatabase {
  readonly db: Database;
  /** The real one: a database does not live in virtual time. */
  readonly runtime: Runtime;
  /** Without a deadline. */
  readonly ctx: Context;
  /** How another process reaches the same database. */
  readonly url: string;
  close(): Promise<void>;
}

export interface TestServer {
  readonly server: PostgresServer;
  readonly embedded: EmbeddedPostgres;
  readonly runtime: Runtime;
  /** How the administrator signs in. */
  readonly admin: EmbeddedAddress;
}

export interface TestDatabaseOptions {
  /** @default 10 */
  readonly poolSize?: number;
}

let shared: Promise<TestServer> | undefined;
let databases = 0;

/** The process's server, started by the first who asks and gone with the process, however that ends. */
export function testServer(): Promise<TestServer> {
  shared ??= startServer();
  return shared;
}

/**
 * A new, empty database, brought up to date with `migrations`. Cheap enough for every test to have its own.
 *
 * @param name Name of the service it belongs to.
 */
export async function testDatabase(
  name: string,
  migrations: readonly (readonly Migration[])[] = [],
  options: TestDatabaseOptions = {},
): Promise<TestDatabase> {
  const { server, runtime } = await testServer();
  const service = `${name}-${++databases}`;
  const db = await server.open(service, { poolSize: options.poolSize ?? 10 });
  const ctx = rootContext({ runtime });
  if (migrations.length > 0) await migrate(db, ctx, migrations);
  return { db, runtime, ctx, url: await server.urlOf(service), close: () => db.close() };
}

/** A database at a given address. */
export const connectTo = (address: PostgresAddress, runtime: Runtime): Database =>
  createDatabase({ service: 'test', address, runtime, log: silentLogger });

async function startServer(): Promise<TestServer> {
  const runtime = systemRuntime();
  const folder = await mkdtemp(join(tmpdir(), 'souk-test-'));
  await fillFolder(folder, runtime);
  const embedded = createEmbeddedPostgres({
    folder,
    runtime,
    log: silentLogger,
    // What a test writes need not outlive the machine.
    settings: {
      fsync: false,
      full_page_writes: false,
      shared_buffers: '32MB',
      max_connections: 200,
      autovacuum: false,
    },
  });
  let admin: EmbeddedAddress | undefined;
  const start = async (): Promise<EmbeddedAddress> => {
    admin = await embedded.start();
    endWithThisProcess(folder, embedded.pid);
    return admin;
  };
  const server = createPostgresServer({ runtime, log: silentLogger, server: { ...embedded, start } });
  await server.start();
  return { server, embedded, runtime, admin: admin as unknown as EmbeddedAddress };
}

/** A shell that waits for this process's end, which closes its input, and then ends the server: also after `kill -9`. */
function endWithThisProcess(folder: string, pid: number | undefined): void {
  const script = `read _; kill -QUIT ${pid}; sleep 0.3; kill -KILL ${pid}; rm -rf '${folder}'`;
  const watchdog = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watchdog.unref();
  (watchdog.stdin as unknown as { unref(): void }).unref();
}
