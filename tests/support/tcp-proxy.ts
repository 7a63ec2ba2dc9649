// A wire between a client and a server that a test can cut, stall and slow down.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Resets every connection; new ones are taken. */
  cut(): void;
  /** Bytes stop flowing, connections stay. `server`: only what the server says is held back. */
  stall(which?: 'both' | 'server'): void;
  /** What was held back flows on. */
  flow(): void;
  /** From now on everything takes so much longer, in each direction. Milliseconds. */
  delay(ms: number): void;
  /** Refuses new connections. */
  refuse(refused: boolean): void;
  close(): Promise<void>;
}

/** @param target A port of this machine, or the path of a Unix socket. */
export async function tcpProxy(target: number | string): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let stalled: 'both' | 'server' | undefined;
  let delayMs = 0;
  let refused = false;
  const apply = () => {
    for (const [client, server] of pairs) {
      if (stalled === 'both') client.pause();
      else client.resume();
      if (stalled !== undefined) server.pause();
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
        other.destroy();
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
