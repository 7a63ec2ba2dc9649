// What a dead process had in hand, given back before the lease on it would end.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootContext, systemRuntime } from '@souk/kernel';
import { connectTo } from './database.ts';

/** The administrator of an embedded PostgreSQL. */
const ADMIN = 'souk';

/**
 * Ends every claim on an event that was put aside, as half a minute of waiting would. Only while no process of the shop runs: its PostgreSQL
 * does, and whoever holds a claim is dead.
 */
export async function endLostClaims(folder: string): Promise<number> {
  const runtime = systemRuntime();
  const lines = readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n');
  const server = {
    host: (lines[4] || '127.0.0.1') as string,
    port: Number(lines[3]),
    user: ADMIN,
    password: readFileSync(join(folder, 'secret'), 'utf8'),
  };
  const query = async <TRow>(database: string, sql: string): Promise<TRow[]> => {
    const db = connectTo({ ...server, database }, runtime);
    try {
      using ctx = rootContext({ runtime });
      return (await db.at(ctx).query<TRow & Record<string, unknown>>(sql)).rows;
    } finally {
      await db.close();
    }
  };
  const names = await query<{ name: string }>(
    'postgres',
    String.raw`SELECT datname AS name FROM pg_database WHERE datname LIKE 'souk\_%'`,
  );
  const ended = await Promise.all(
    names.map(async ({ name }) => {
      const [there] = await query<{ there: boolean }>(name, `SELECT to_regclass('souk.retry') IS NOT NULL AS there`);
      if (there?.there !== true) return 0;
      return (
        await query(name, `UPDATE souk.retry SET locked_until = clock_timestamp() WHERE state = 'running' RETURNING id`)
      ).length;
    }),
  );
  return ended.reduce((sum, count) => sum + count, 0);
}
