import { type Context, fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';

export interface WakeUpInit {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly context: () => Context;
  /** Another process has committed something, or notifications may have been missed. */
  readonly onWake: () => void;
}

/**
 * Tells other processes of the same database that there is something in the outbox. A hint only: a look every so often finds what no
 * notification came for. Never part of a business transaction, whose commits would queue for the one lock of all notifications.
 */
export interface WakeUp {
  /** Begins to listen, once. Says in the log when notifications do not come through, as behind a pooler in transaction mode. */
  listen(): void;
  /** At once, or with all others of the next 10 ms. */
  tell(): void;
  close(): Promise<void>;
}

const CHANNEL = 'souk_outbox';
const COALESCE_MS = 10;
const SELF_TEST_MS = 2000;

const NOTIFY = '/* relay-notify */ SELECT pg_notify($1, $2)';

export function createWakeUp({ db, runtime, log, context, onWake }: WakeUpInit): WakeUp {
  const me = runtime.ids.uuid();
  const heardOurselves = Promise.withResolvers<void>();
  let listening: Promise<{ close(): Promise<void> } | undefined> | undefined;
  let toldMs = Number.NEGATIVE_INFINITY;
  let isDue = false;
  let closed = false;

  const send = async (): Promise<void> => {
    isDue = false;
    toldMs = runtime.clock.monotonicMs();
    if (closed) return;
    try {
      using ctx = context();
      await db.at(ctx).query(NOTIFY, [CHANNEL, me]);
    } catch (thrown) {
      log.debug('other processes were not told of an event: they will look for it', { err: fromUnknown(thrown) });
    }
  };

  const selfTest = async (): Promise<void> => {
    const limit = new AbortController();
    await send();
    const late = runtime.timers.sleep(SELF_TEST_MS, limit.signal).then(
      () => 'late' as const,
      () => undefined,
    );
    const result = await Promise.race([heardOurselves.promise, late]);
    limit.abort();
    if (result === 'late' && !closed) {
      log.warn('notifications of the database do not arrive: events of other processes wait for the next look', {
        service: db.name,
      });
    }
  };

  const open = async () => {
    try {
      const opened = await db.listen(CHANNEL, {
        onNotify: (payload) => {
          if (payload === me) heardOurselves.resolve();
          else onWake();
        },
        onReconnect: onWake,
      });
      void selfTest();
      return opened;
    } catch (thrown) {
      listening = undefined;
      log.warn('cannot listen for events of other processes: they wait for the next look', {
        err: fromUnknown(thrown),
      });
      return undefined;
    }
  };

  return {
    listen: () => {
      if (!closed) listening ??= open();
    },
    tell: () => {
      if (isDue || closed) return;
      isDue = true;
      const waitMs = toldMs + COALESCE_MS - runtime.clock.monotonicMs();
      if (waitMs <= 0) void send();
      else runtime.timers.after(waitMs, () => void send());
    },
    close: async () => {
      closed = true;
      await (await listening)?.close();
    },
  };
}
