// Takes a safeguard out of a running system, in its database: what the auditor must then notice.

import type { ChaosSystem } from './chaos-system.ts';

export type Safeguard = 'fence' | 'inbox' | 'order';

export const safeguards: readonly Safeguard[] = ['fence', 'inbox', 'order'];

const SERVICES_THAT_HEAR = ['witness', 'orders', 'inventory', 'payments', 'shipping', 'loyalty', 'notifications'];

/** Before the system is put under load. Workers keep connections with old settings: restart them afterwards. */
export async function remove(safeguard: Safeguard, system: ChaosSystem): Promise<void> {
  await REMOVERS[safeguard](system);
}

const REMOVERS: Readonly<Record<Safeguard, (system: ChaosSystem) => Promise<void>>> = {
  /** A worker writes for its sagas whatever has become of its lease. */
  fence: async (system) => {
    // All of them: the lease of the worker, its ownership of the saga, and the number of the next record.
    await rewrite(system, 'orders', 'souk.saga_write', [
      [/ AND o\.epoch = my_epoch AND o\.state = 'live'/g, ''],
      [/ AND g\.owner = me AND g\.epoch = w\.epoch AND g\.seq = w\.base/g, ''],
      [/seq = w\.base \+ w\.many/g, 'seq = g.seq + w.many'],
      [
        /SELECT r\.id, r\.seq,/g,
        `SELECT r.id, (SELECT coalesce(max(k.seq), 0) FROM souk.saga_journal k WHERE k.saga_id = r.id)
                      + row_number() OVER (PARTITION BY r.id ORDER BY r.seq),`,
      ],
    ]);
    await system.query(
      'orders',
      `DO $$ DECLARE c name; BEGIN
         FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'souk.saga'::regclass AND contype = 'c' LOOP
           EXECUTE format('ALTER TABLE souk.saga DROP CONSTRAINT %I', c);
         END LOOP;
       END $$`,
    );
  },
  /** What was handled is forgotten at once. */
  inbox: async (system) => {
    for (const service of SERVICES_THAT_HEAR) {
      await system.query(
        service,
        `CREATE FUNCTION souk.forget() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
           DELETE FROM souk.inbox i WHERE i.consumer = NEW.consumer AND i.source = NEW.source AND i.id = NEW.id;
           RETURN NULL;
         END $$`,
      );
      await system.query(
        service,
        'CREATE TRIGGER forget AFTER INSERT ON souk.inbox FOR EACH ROW EXECUTE FUNCTION souk.forget()',
      );
    }
  },
  /** Streams are locked no more before a transaction gets its number, and an older one may follow a younger. */
  order: async (system) => {
    for (const service of ['orders', 'witness']) {
      await rewrite(system, service, 'souk.es_append', [
        [/WHEN head\.epoch = era AND head\.xid > own THEN 'behind'/g, ''],
        [/WHEN h\.epoch = m\.epoch AND h\.xid > own THEN 'behind'/g, ''],
      ]);
      await system.query(service, 'CREATE SCHEMA sabotage');
      await system.query(
        service,
        `CREATE FUNCTION sabotage.pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql VOLATILE AS 'SELECT'`,
      );
      await system.query(service, 'GRANT USAGE ON SCHEMA sabotage TO PUBLIC');
      await system.query(service, `ALTER ROLE souk_${service} SET search_path = sabotage, pg_catalog, public`);
    }
  },
};

/** @throws when the function no longer has what is to be taken out */
async function rewrite(
  system: ChaosSystem,
  service: string,
  name: string,
  changes: readonly (readonly [guard: RegExp, instead: string])[],
): Promise<void> {
  const [row] = await system.query<{ source: string }>(service, 'SELECT pg_get_functiondef($1::regproc) AS source', [
    name,
  ]);
  let source = row?.source ?? '';
  for (const [guard, instead] of changes) {
    if (!source.match(guard)) throw new Error(`${name} has no ${guard}: the sabotage must follow the function`);
    source = source.replaceAll(guard, instead);
  }
  await system.query(service, source);
}
