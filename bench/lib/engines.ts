// Runs one engine after the other against one PostgreSQL, each in a process of its own, and counts what it asks of the server.

import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEmbeddedPostgres } from '@souk/adapter-embedded-postgres';
import { createPostgresServer } from '@souk/adapter-postgres';
import { silentLogger, systemRuntime } from '@souk/kernel';
import pg from 'pg';
import { removeFolder, temporaryFolder } from './shop.ts';

export interface BenchServer {
  /** Address of a database of its own, made when it is missing. */
  urlOf(name: string): Promise<string>;
  /** Statements in a database, and transactions that wrote anything in the server, during `work`. */
  counting<T>(name: string, work: () => Promise<T>): Promise<{ result: T; statements: number; commits: number }>;
  /** A statement in a database, as the administrator of the server. */
  run(name: string, sql: string, values?: readonly unknown[]): Promise<void>;
  stop(): Promise<void>;
}

/** A PostgreSQL with the settings that the product ships, fsync included. */
export async function startServer(): Promise<BenchServer> {
  const folder = await temporaryFolder();
  const runtime = systemRuntime();
  await writeFile(
    join(folder, 'postgresql.conf'),
    "shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track = 'none'\nmax_connections = 200\n",
  );
  const embedded = createEmbeddedPostgres({ folder, runtime, log: silentLogger });
  let adminUrl = '';
  let address: Address | undefined;
  const server = createPostgresServer({
    runtime,
    log: silentLogger,
    server: {
      ...embedded,
      start: async () => {
        const admin = await embedded.start();
        address = admin as unknown as Address;
        adminUrl = urlFor(address);
        return admin;
      },
    },
  });
  await server.start();
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query('CREATE EXTENSION pg_stat_statements');

  const counts = async (name: string): Promise<{ statements: number; commits: number }> => {
    const { rows } = await admin.query(
      `SELECT (SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements s WHERE s.dbid = d.oid) AS statements,
              pg_snapshot_xmax(pg_current_snapshot())::text::float8 AS commits
         FROM pg_database d WHERE d.datname = $1`,
      [databaseOf(await server.urlOf(name))],
    );
    return rows[0];
  };
  const track = async (what: 'top' | 'none'): Promise<void> => {
    await admin.query(`ALTER SYSTEM SET pg_stat_statements.track = '${what}'`);
    await admin.query('SELECT pg_reload_conf()');
    await new Promise((resolve) => setTimeout(resolve, 300));
  };

  return {
    urlOf: (name) => server.urlOf(name),
    counting: async (name, work) => {
      await track('top');
      const before = await counts(name);
      const result = await work();
      const after = await counts(name);
      await track('none');
      return { result, statements: after.statements - before.statements, commits: after.commits - before.commits };
    },
    run: async (name, sql, values = []) => {
      const database = databaseOf(await server.urlOf(name));
      const client = new pg.Client({ connectionString: urlFor({ ...(address as Address), database }) });
      await client.connect();
      try {
        await client.query(sql, [...values]);
      } finally {
        await client.end();
      }
    },
    stop: async () => {
      await admin.end();
      await server.stop();
      await removeFolder(folder);
    },
  };
}

interface Address {
  readonly host: string;
  readonly port?: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const urlFor = ({ host, port, user, password, database }: Address): string =>
  host.startsWith('/')
    ? `postgresql://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(host)}${port ? `&port=${port}` : ''}`
    : `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;

const databaseOf = (url: string): string => /\/([^/?]+)(?:\?|$)/.exec(url.replace(/^[^@]*@/, ''))?.[1] ?? '';

/** What an engine is told to do. */
export interface Order {
  readonly url: string;
  readonly concurrency: number;
  /** Measured time; 0: `work` units and no warm-up, for counting. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly units: number;
}

/** What an engine says it did, and what it found when it looked afterwards. */
export interface Report {
  /** All that was done since the process began, warm-up included. */
  readonly done: number;
  readonly perSecond: number;
  readonly latenciesMs: { readonly p50: number; readonly p99: number; readonly p999: number };
  /** Sentences about what is missing or doubled; empty when the work is there, once. */
  readonly violations: readonly string[];
}

/** Runs an engine of a race. */
export const runEngine = (script: string, order: Order): Promise<Report> => runScript<Report>(script, order);

/**
 * Runs `peers/<script>.ts` in a process of its own.
 * @param flags For Node.js.
 * @returns what it prints as its last line
 */
export function runScript<TReport>(script: string, order: unknown, flags: readonly string[] = []): Promise<TReport> {
  const path = fileURLToPath(new URL(`../peers/${script}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', ...flags, path, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      const line = output.split('\n').findLast((text) => text.startsWith('{'));
      if (code !== 0 || line === undefined) reject(new Error(`${script} ended with ${code}:\n${errors || output}`));
      else resolve(JSON.parse(line) as TReport);
    });
  });
}
