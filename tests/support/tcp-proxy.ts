// A wire between a client and a server that a test can cut, stall and slow down.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Resets every connection; new ones are taken. */
  cut(): void;
  /** Bytes stop flowing, connections stay. `server`, `client`: only what that side says is held back. */
  stall(which?: 'both' | 'server' | 'client'): void;
  /** What was held back flows on. */
  flow(): void;
  /** From now on everything takes so much longer, in each direction. Milliseconds. */
  delay(ms: number): void;
  /** Refuses new connections. */
  refuse(refused: boolean): void;
  close(): Promise<void>;
}

const LAST_WORDS_MS = 20;

/** @param target A port of this machine, or the path of a Unix socket. */
export async function tcpProxy(target: number | string): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let stalled: 'both' | 'server' | 'client' | undefined;
  let delayMs = 0;
  let refused = false;
  const apply = () => {
    for (const [client, server] of pairs) {
      if (stalled === 'both' || stalled === 'client') client.pause();
      else client.resume();
      if (stalled === 'both' || stalled === 'server') server.pause();
      else server.resume();
    }
  };
  const pipe = (from: Socket, to: Socket) => {
    let lastMs = 0;
    from.on('data', (chunk: Buffer) => {
      const nowMs = performance.now();
      // What was sent before arrives before, also when the delay has changed.
      lastMs = Math.max(nowMs + delayMs, lastMs);
      if (lastMs === nowMs) to.write(chunk);
      else setTimeout(() => to.destroyed || to.write(chunk), lastMs - nowMs).unref();
    });
  };
  const listener = createServer((client) => {
    if (refused) {
      client.resetAndDestroy();
      return;
    }
    const server = typeof target === 'number' ? connect(target, '127.0.0.1') : connect(target);
    const pair = [client, server] as const;
    pairs.add(pair);
    pipe(client, server);
    pipe(server, client);
    for (const [one, other] of [pair, [server, client] as const]) {
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        // What it said before it went still arrives.
        setTimeout(() => other.destroy(), delayMs + LAST_WORDS_MS).unref();
        pairs.delete(pair);
      });
    }
    apply();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const cut = () => {
    for (const [client, server] of pairs) {
      client.resetAndDestroy();
      // A Unix socket cannot be reset.
      if (typeof target === 'number') server.resetAndDestroy();
      else server.destroy();
    }
  };
  return {
    port: (listener.address() as AddressInfo).port,
    cut,
    stall: (which = 'both') => {
      stalled = which;
      apply();
    },
    flow: () => {
      stalled = undefined;
      apply();
    },
    delay: (ms) => {
      delayMs = ms;
    },
    refuse: (value) => {
      refused = value;
    },
    close: async () => {
      const closed = new Promise((resolve) => listener.close(resolve));
      cut();
      await closed;
    },
  };
}
