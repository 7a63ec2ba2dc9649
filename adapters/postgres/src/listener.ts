import type { Logger, Timer } from '@souk/kernel';
import { storeErrors } from '@souk/store';
import { type Connection, type ConnectionInit, openConnection } from './connection.ts';
import { fromDriver } from './errors.ts';

export interface ListenHandlers {
  onNotify(payload: string): void;
  onReconnect(): void;
}

export interface Listener {
  listen(channel: string, handlers: ListenHandlers): Promise<{ close(): Promise<void> }>;
  close(): Promise<void>;
}

/** Waits between attempts to reconnect are drawn from half of this to this, doubled each time, in milliseconds. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;

/** One connection for all channels of a database; opened by the first, closed with the last, reopened when it is lost. */
export function createListener(init: ConnectionInit & { log: Logger }): Listener {
  const { runtime, log } = init;
  const channels = new Map<string, Set<ListenHandlers>>();
  let connection: Connection | undefined;
  let connecting: Promise<Connection> | undefined;
  let again: Timer | undefined;
  let attempt = 0;
  let closed = false;

  const onNotification = (channel: string, payload: string): void => {
    for (const handlers of channels.get(channel) ?? []) handlers.onNotify(payload);
  };

  const onBroken = (lost: Connection): void => {
    if (connection !== lost) return;
    connection = undefined;
    reconnectLater();
  };

  const open = (): Promise<Connection> => {
    connecting ??= (async () => {
      try {
        const opened = await openConnection({ ...init, applicationName: `${init.applicationName}-listen` }, onBroken);
        opened.onNotification(onNotification);
        for (const channel of channels.keys()) await opened.script(`LISTEN ${quote(channel)}`);
        connection = opened;
        attempt = 0;
        return opened;
      } finally {
        connecting = undefined;
      }
    })();
    return connecting;
  };

  const reconnectLater = (): void => {
    if (closed || channels.size === 0) return;
    const limitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt++);
    again = runtime.timers.after((limitMs / 2) * (1 + runtime.random.next()), () => void reconnect());
  };

  const reconnect = async (): Promise<void> => {
    try {
      await open();
    } catch (thrown) {
      log.warn('cannot listen to the database, trying again', { err: fromDriver(thrown, false) });
      return reconnectLater();
    }
    for (const set of channels.values()) for (const handlers of set) handlers.onReconnect();
  };

  const remove = async (channel: string, handlers: ListenHandlers): Promise<void> => {
    const set = channels.get(channel);
    if (set === undefined || !set.delete(handlers) || set.size > 0) return;
    channels.delete(channel);
    if (channels.size === 0) return drop();
    try {
      await connection?.script(`UNLISTEN ${quote(channel)}`);
    } catch {
      // A lost connection listens to nothing.
    }
  };

  const drop = async (): Promise<void> => {
    again?.cancel();
    const last = connection ?? (await connecting?.catch(() => undefined));
    connection = undefined;
    await last?.end();
  };

  return {
    listen: async (channel, handlers) => {
      if (closed) throw storeErrors.CLOSED({ service: init.address.database });
      const set = channels.get(channel) ?? new Set();
      channels.set(channel, set.add(handlers));
      try {
        const opened = connection ?? (await open());
        await opened.script(`LISTEN ${quote(channel)}`);
      } catch (thrown) {
        await remove(channel, handlers);
        throw fromDriver(thrown, false);
      }
      return { close: () => remove(channel, handlers) };
    },
    close: async () => {
      closed = true;
      channels.clear();
      await drop();
    },
  };
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
