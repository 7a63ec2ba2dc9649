import { fromUnknown, kernelErrors, type Logger, type Runtime, rootContext, type Timer } from '@souk/kernel';
import type { AdviceChannel, AdviceMessage, CommandStore, LeaseStore, OperatorCommand } from '@souk/resilience';
import { type Database, type Migration, migrate } from '@souk/store';

/** What instances of one process share of their breakers: a channel, leases for probes, and the orders of operators. */
export interface BreakerChannel {
  readonly channel: AdviceChannel;
  readonly leases: LeaseStore;
  readonly commands: CommandStore;
  /** Until then everything fails, which breakers bear: they work alone. */
  open(db: Database): Promise<void>;
  close(): Promise<void>;
}

const CHANNEL = 'souk_breakers';
/** What is said within this time goes out together: one process has many breakers that report at the same time. */
const GATHER_MS = 50;
/** PostgreSQL refuses 8000 bytes and more. */
const MAX_PAYLOAD = 7_900;
const TIMEOUT_MS = 2_000;

const NOTIFY = '/* breakers-notify */ SELECT pg_notify($1, $2)';
const ACQUIRE = `/* probe-lease */ INSERT INTO souk.probe_lease AS l (key, holder, fence, until)
  VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 millisecond')
  ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, fence = excluded.fence, until = excluded.until
    WHERE l.until <= clock_timestamp() OR (l.holder = excluded.holder AND l.fence < excluded.fence)
  RETURNING key`;
const LOAD = `/* breaker-commands */ SELECT key, action, version::int8 AS version, owner, reason,
    GREATEST(0, EXTRACT(EPOCH FROM until - clock_timestamp()) * 1000)::float8 AS "remainingMs"
  FROM souk.breaker_command`;
const SAVE = `/* breaker-command */ INSERT INTO souk.breaker_command AS c (key, action, version, owner, reason, until)
  VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 millisecond')
  ON CONFLICT (key) DO UPDATE SET action = excluded.action, version = excluded.version, owner = excluded.owner,
      reason = excluded.reason, until = excluded.until
    WHERE c.version = $7
  RETURNING key`;

export const breakerMigrations: readonly Migration[] = [
  {
    id: 'breakers/0001-shared',
    sql: `CREATE TABLE souk.probe_lease (
            key text COLLATE "C" PRIMARY KEY, holder text NOT NULL, fence int8 NOT NULL, until timestamptz NOT NULL);
          CREATE TABLE souk.breaker_command (
            key text COLLATE "C" PRIMARY KEY, action text NOT NULL, version int8 NOT NULL, owner text NOT NULL,
            reason text NOT NULL, until timestamptz NOT NULL);`,
  },
];

/** Through the database that all instances of a process have in common. Not for the breaker of that database itself. */
export function createBreakerChannel(runtime: Runtime, log: Logger): BreakerChannel {
  const listeners = new Set<(advice: unknown) => void>();
  let opened: Database | undefined;
  let listening: { close(): Promise<void> } | undefined;
  let waiting: AdviceMessage[] = [];
  let timer: Timer | undefined;

  const demand = (): Database => {
    if (opened === undefined) throw kernelErrors.NOT_STARTED({ part: 'the channel of breakers' });
    return opened;
  };
  const query = async <T>(text: string, values: readonly unknown[]): Promise<T[]> => {
    using ctx = rootContext({ runtime, log, timeoutMs: TIMEOUT_MS });
    return (await demand().at(ctx).query<T>(text, values)).rows;
  };
  const flush = async (): Promise<void> => {
    timer = undefined;
    const messages = waiting;
    waiting = [];
    for (const payload of payloads(messages)) await query(NOTIFY, [CHANNEL, payload]);
  };
  const hear = (payload: string): void => {
    let messages: unknown;
    try {
      messages = JSON.parse(payload);
    } catch {
      messages = [payload];
    }
    for (const message of Array.isArray(messages) ? messages : [messages]) for (const on of listeners) on(message);
  };

  return {
    channel: {
      publish: (advice) => {
        waiting.push(advice);
        // Advice is said again in two seconds: one that is lost, with the database away, is not worth a word.
        timer ??= runtime.timers.after(GATHER_MS, () => {
          flush().catch((error) => log.debug('advice about breakers was not sent', { err: fromUnknown(error) }));
        });
      },
      subscribe: (on) => {
        listeners.add(on);
        return () => listeners.delete(on);
      },
    },
    leases: {
      tryAcquire: async (key, holder, fence, ttlMs) => (await query(ACQUIRE, [key, holder, fence, ttlMs])).length > 0,
    },
    commands: {
      load: async () => {
        const rows = await query<OperatorCommand & { version: bigint; remainingMs: number }>(LOAD, []);
        return rows.map((row) => ({ ...row, version: Number(row.version) }));
      },
      save: async ({ key, action, version, owner, reason, remainingMs }, expected) =>
        (await query(SAVE, [key, action, version, owner, reason, remainingMs, expected])).length > 0,
    },
    open: async (db) => {
      using ctx = rootContext({ runtime, log, timeoutMs: 60_000 });
      await migrate(db, ctx, [breakerMigrations]);
      listening = await db.listen(CHANNEL, { onNotify: hear, onReconnect: () => {} });
      opened = db;
    },
    close: async () => {
      timer?.cancel();
      opened = undefined;
      await listening?.close();
    },
  };
}

/** As many messages to a payload as fit; one that does not fit by itself is left out. */
function payloads(messages: readonly AdviceMessage[]): string[] {
  const all: string[] = [];
  let parts: string[] = [];
  let bytes = 2;
  for (const message of messages) {
    const text = JSON.stringify(message);
    const size = Buffer.byteLength(text) + 1;
    if (size + 2 > MAX_PAYLOAD) continue;
    if (bytes + size > MAX_PAYLOAD) {
      all.push(`[${parts.join(',')}]`);
      parts = [];
      bytes = 2;
    }
    parts.push(text);
    bytes += size;
  }
  if (parts.length > 0) all.push(`[${parts.join(',')}]`);
  return all;
}
