// A Unix socket behind a TCP port: connections of a socket cannot be reset, and tests want to.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpFront {
  readonly port: number;
  close(): Promise<void>;
}

/** @param path Of the Unix socket. */
export async function tcpFront(path: string): Promise<TcpFront> {
  const open = new Set<Socket>();
  const listener = createServer((client) => {
    const server = connect(path);
    client.setNoDelay(true);
    client.pipe(server).pipe(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    close: async () => {
      const closed = once(listener, 'close');
      listener.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
