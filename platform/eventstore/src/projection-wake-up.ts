import { type Context, fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { comparePositions, decodePosition, encodePosition, type Position, START } from './position.ts';

export interface FollowerWakeUp {
  /** Begins to listen, once. */
  listen(): void;
  /** Tells other processes that something was appended, at once or with all else of the next 50 ms. */
  tell(appended: Position): void;
  /** Tells them that parts are free. */
  tellFree(): Promise<void>;
  close(): Promise<void>;
}

const CHANNEL = 'souk_events';
const COALESCE_MS = 50;
const NOTIFY = '/* followers-notify */ SELECT pg_notify($1, $2)';

/**
 * Tells other processes of the same database what they need not wait for. Hints only: a look every second finds what no notification came
 * for. Never part of a transaction that appends, whose commits would queue for the one lock of all notifications.
 *
 * @param init.onAppended Another process has appended up to here; START: notifications may have been missed.
 * @param init.onFree Another process has let go of parts.
 */
export function createFollowerWakeUp(init: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly context: () => Context;
  readonly onAppended: (position: Position) => void;
  readonly onFree: () => void;
}): FollowerWakeUp {
  const { db, runtime, log, context, onAppended, onFree } = init;
  const me = runtime.ids.uuid();
  let listening: Promise<{ close(): Promise<void> } | undefined> | undefined;
  let latest: Position = START;
  let isDue = false;
  let toldMs = Number.NEGATIVE_INFINITY;
  let closed = false;

  const send = async (what: string): Promise<void> => {
    try {
      using ctx = context();
      await db.at(ctx).query(NOTIFY, [CHANNEL, `${me} ${what}`]);
    } catch (thrown) {
      log.debug('other processes were not told of events: they will look for them', { err: fromUnknown(thrown) });
    }
  };

  const sendLatest = (): void => {
    isDue = false;
    toldMs = runtime.clock.monotonicMs();
    if (!closed) void send(encodePosition(latest));
  };

  const hear = (payload: string): void => {
    const [from, what = ''] = payload.split(' ');
    if (from === me) return;
    if (what === 'free') {
      onFree();
      return;
    }
    try {
      onAppended(decodePosition(what));
    } catch {
      // Whatever a newer version says here, it is a reason to look.
      onAppended(START);
    }
  };

  const open = async () => {
    try {
      return await db.listen(CHANNEL, { onNotify: hear, onReconnect: () => onAppended(START) });
    } catch (thrown) {
      listening = undefined;
      log.warn('cannot listen for events of other processes: projections look for them every second', {
        err: fromUnknown(thrown),
      });
      return undefined;
    }
  };

  return {
    listen: () => {
      if (!closed) listening ??= open();
    },
    tell: (appended) => {
      if (comparePositions(appended, latest) > 0) latest = appended;
      if (isDue || closed) return;
      isDue = true;
      const waitMs = toldMs + COALESCE_MS - runtime.clock.monotonicMs();
      if (waitMs <= 0) queueMicrotask(sendLatest);
      else runtime.timers.after(waitMs, sendLatest);
    },
    tellFree: () => send('free'),
    close: async () => {
      closed = true;
      await (await listening)?.close();
    },
  };
}
