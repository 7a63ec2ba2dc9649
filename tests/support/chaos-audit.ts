// Looks into the databases after the work is done. What the shop shows to customers is audited elsewhere.

import type { ChaosSystem } from './chaos-system.ts';
import { heardTypes } from './witness.ts';

const SERVICES = [
  'users',
  'catalog',
  'inventory',
  'orders',
  'payments',
  'shipping',
  'loyalty',
  'notifications',
  'witness',
];

/** Keeps a record of everything that is published by orders. To be called before the first order. */
export async function watchOutbox(system: ChaosSystem): Promise<void> {
  await system.query(
    'orders',
    'CREATE TABLE public.published (pos bigint PRIMARY KEY, id uuid NOT NULL, key text NOT NULL, schema text NOT NULL)',
  );
  await system.query('orders', 'GRANT INSERT ON public.published TO PUBLIC');
  await system.query(
    'orders',
    `CREATE FUNCTION public.keep_published() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       INSERT INTO public.published VALUES (NEW.pos, NEW.id, NEW.key, NEW.schema);
       RETURN NULL;
     END $$`,
  );
  await system.query(
    'orders',
    'CREATE TRIGGER keep_published AFTER INSERT ON souk.outbox FOR EACH ROW EXECUTE FUNCTION public.keep_published()',
  );
}

/** What has not come to its end. Waited for before anything is judged. */
export async function underWay(system: ChaosSystem): Promise<string[]> {
  const found: string[] = [];
  const count = async (service: string, what: string, sql: string): Promise<void> => {
    const [row] = await system.query<{ n: number }>(service, `SELECT count(*)::int AS n ${sql}`);
    if ((row?.n ?? 0) > 0) found.push(`${service}: ${row?.n} ${what}`);
  };
  for (const service of SERVICES) {
    await count(service, 'events in the outbox', 'FROM souk.outbox');
    await count(service, 'events wait for a retry', 'FROM souk.retry');
    await count(service, 'dead letters', "FROM souk.dead_letter WHERE status = 'dead'");
  }
  await count(
    'orders',
    'sagas have not ended',
    "FROM souk.saga WHERE status NOT IN ('COMPLETED', 'COMPENSATED', 'STUCK')",
  );
  await count(
    'orders',
    'sagas are stuck without a reason',
    `FROM souk.saga s WHERE s.status = 'STUCK' AND NOT EXISTS (
       SELECT FROM souk.saga_journal j WHERE j.saga_id = s.id AND j.kind = 15 AND j.body -> 'failure' ->> 'reason' <> '')`,
  );
  await count('orders', 'sagas are stuck', "FROM souk.saga WHERE status = 'STUCK'");
  await count(
    'payments',
    'payments whose outcome is not known yet',
    "FROM payment_attempt WHERE state IN ('created', 'unknown')",
  );
  return found;
}

/** What is wrong, a line each. */
export async function auditDatabases(system: ChaosSystem): Promise<string[]> {
  return [...(await auditJournals(system)), ...(await auditStreams(system)), ...(await auditEvents(system))];
}

async function auditJournals(system: ChaosSystem): Promise<string[]> {
  const rows = await system.query<{ id: string; why: string }>(
    'orders',
    `WITH j AS (
       SELECT saga_id, seq, kind, step, epoch, lag(seq) OVER w AS before, lag(epoch) OVER w AS epoch_before
         FROM souk.saga_journal WINDOW w AS (PARTITION BY saga_id ORDER BY seq))
     SELECT saga_id AS id, 'record ' || seq || ' follows ' || coalesce(before, 0) AS why FROM j WHERE seq <> coalesce(before, 0) + 1
     UNION ALL
     SELECT saga_id, 'record ' || seq || ' was written by a worker that had lost the saga' FROM j WHERE epoch < epoch_before
     UNION ALL
     SELECT saga_id, 'ended ' || count(*) || ' times' FROM j WHERE kind = 14 GROUP BY saga_id HAVING count(*) <> 1
     UNION ALL
     SELECT saga_id, step || ' was done ' || count(*) || ' times' FROM j WHERE kind = 2 GROUP BY saga_id, step HAVING count(*) > 1
     UNION ALL
     SELECT s.id, 'was ended by a worker that had lost it' FROM souk.saga s JOIN j ON j.saga_id = s.id AND j.kind = 14
      WHERE j.epoch <> s.epoch
     UNION ALL
     SELECT u.saga_id, 'undone after its pivot' FROM j u JOIN j p ON p.saga_id = u.saga_id AND p.kind = 2 AND p.step = 'confirm-order'
      WHERE u.kind = 6`,
  );
  return rows.map(({ id, why }) => `saga ${id}: ${why}`);
}

/** Whoever reads all streams in their order must see each of them from its first version to its last. */
async function auditStreams(system: ChaosSystem): Promise<string[]> {
  const violations: string[] = [];
  for (const service of ['orders', 'witness']) {
    const rows = await system.query<{ stream: string; version: bigint; before: bigint }>(
      service,
      `SELECT stream, version, before FROM (
         SELECT stream, version, lag(version, 1, 0::bigint) OVER (PARTITION BY stream ORDER BY epoch, xid, position) AS before
           FROM souk.es_event) e
        WHERE version <> before + 1`,
    );
    for (const { stream, version, before } of rows)
      violations.push(`${service}, ${stream}: readers see version ${version} after ${before}`);
  }
  return violations;
}

/** Each event that was published had its effect once, and after those of its key that were published before it. */
async function auditEvents(system: ChaosSystem): Promise<string[]> {
  const published = await system.query<{ id: string; key: string; schema: string }>(
    'orders',
    'SELECT id, key, schema FROM public.published WHERE schema = ANY ($1) ORDER BY pos',
    [heardTypes],
  );
  const effects = await system.query<{ id: string; key: string }>(
    'witness',
    'SELECT event_id AS id, key FROM public.effect ORDER BY seq',
  );
  const violations: string[] = [];
  const times = new Map<string, number>();
  for (const { id } of effects) times.set(id, (times.get(id) ?? 0) + 1);
  for (const { id, schema } of published) {
    const count = times.get(id) ?? 0;
    if (count !== 1) violations.push(`${schema} ${id} had its effect ${count} times`);
    times.delete(id);
  }
  for (const id of times.keys()) violations.push(`${id} had an effect and was never published`);
  const wanted = Map.groupBy(published, ({ key }) => key);
  for (const [key, own] of Map.groupBy(effects, (effect) => effect.key)) {
    const seen = [...new Set(own.map(({ id }) => id))].join();
    const said = (wanted.get(key) ?? []).map(({ id }) => id).join();
    if (seen !== said) violations.push(`events of ${key} had their effects in another order than they were published`);
  }
  return violations;
}
