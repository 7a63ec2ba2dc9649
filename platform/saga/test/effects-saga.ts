import type { Context, Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { saga } from '../src/index.ts';

/** Participants of a test: a table that remembers each effect by its key, and each attempt. */
export interface EffectsDeps {
  readonly db: Database;
  readonly runtime: Runtime;
  /** How long a step takes, in milliseconds. */
  readonly takesMs: number;
}

export const effectsMigrations = [
  {
    id: 'effects/0001',
    sql: `CREATE TABLE effect (key text PRIMARY KEY); CREATE TABLE attempt (key text NOT NULL, at timestamptz DEFAULT clock_timestamp());`,
  },
];

const work = async (ctx: Context, _call: unknown, deps: EffectsDeps): Promise<string> => {
  const key = ctx.idempotencyKey ?? '';
  await deps.db
    .at(ctx)
    .query(
      'WITH a AS (INSERT INTO attempt (key) VALUES ($1)) INSERT INTO effect (key) VALUES ($1) ON CONFLICT DO NOTHING',
      [key],
    );
  if (deps.takesMs > 0) await deps.runtime.timers.sleep(deps.takesMs, ctx.signal);
  return key;
};

export const effectsSaga = saga<EffectsDeps, { n: number }>('effects', 1)
  .step('a', { kind: 'compensatable', run: work, undo: async () => {} })
  .step('b', { kind: 'compensatable', run: work, undo: async () => {} })
  .step('c', { kind: 'pivot', run: work })
  .step('d', { kind: 'retriable', run: work })
  .define();
