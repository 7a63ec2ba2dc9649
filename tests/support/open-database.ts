// The database of another process's test, by its URL.

import { createPostgresServer } from '@souk/adapter-postgres';
import { type Context, type Runtime, rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import type { Database } from '@souk/store';

export interface OpenDatabase {
  readonly db: Database;
  readonly runtime: Runtime;
  /** Without a deadline. */
  readonly ctx: Context;
  close(): Promise<void>;
}

/** @param url `url` of a TestDatabase. */
export async function openDatabase(url: string, options: { readonly poolSize?: number } = {}): Promise<OpenDatabase> {
  const runtime = systemRuntime();
  const server = createPostgresServer({ runtime, log: silentLogger, serviceUrls: { test: url } });
  await server.start();
  const db = await server.open('test', { poolSize: options.poolSize ?? 5 });
  return {
    db,
    runtime,
    ctx: rootContext({ runtime }),
    close: async () => {
      await db.close();
      await server.stop();
    },
  };
}
