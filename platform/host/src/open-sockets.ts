import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '@souk/kernel';

/** All connections of a server, also those that did not come to its port. */
export interface OpenSockets {
  readonly size: number;
  /** It is for HTTP/1.1, and nothing of a request has been read yet. */
  silent(socket: Socket): void;
  /** A request of HTTP/1.1 has come on it, and is over when its response is. */
  busy(socket: Socket, response: ServerResponse): void;
  /** Nothing of HTTP any more: its owner closes it. */
  upgraded(socket: Socket): void;
  /** Closes those on which no request is, not even the beginning of one, and was none for so many milliseconds. */
  closeIdle(idleMs: number): void;
  destroy(): void;
  /** Resolves when there are none. */
  gone(): Promise<void>;
}

interface Use {
  requests: number;
  /** Monotonic milliseconds; meaningless while there are requests. */
  sinceMs: number;
  /** Bytes read by then: more of them are the beginning of a request. */
  bytesRead: number;
}

export function createOpenSockets(server: Server, clock: Clock): OpenSockets {
  const open = new Set<Socket>();
  /** Those of HTTP/1.1 that have had a request. */
  const uses = new Map<Socket, Use>();
  let onGone: () => void = () => {};
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => {
      open.delete(socket);
      if (open.size === 0) onGone();
    });
  });
  const useOf = (socket: Socket): Use => {
    let use = uses.get(socket);
    if (use === undefined) {
      use = { requests: 0, sinceMs: clock.monotonicMs(), bytesRead: socket.bytesRead };
      uses.set(socket, use);
      // Over TLS it is another one than the connection's.
      socket.once('close', () => uses.delete(socket));
    }
    return use;
  };
  return {
    get size() {
      return open.size;
    },
    silent: (socket) => void useOf(socket),
    busy: (socket, response) => {
      const use = useOf(socket);
      use.requests++;
      response.once('close', () => {
        use.requests--;
        use.sinceMs = clock.monotonicMs();
        use.bytesRead = socket.bytesRead;
      });
    },
    upgraded: (socket) => void uses.delete(socket),
    closeIdle: (idleMs) => {
      const untilMs = clock.monotonicMs() - idleMs;
      for (const [socket, { requests, sinceMs, bytesRead }] of uses)
        if (requests === 0 && sinceMs <= untilMs && socket.bytesRead === bytesRead) socket.destroy();
    },
    destroy: () => {
      for (const socket of open) socket.destroy();
    },
    gone: () =>
      new Promise<void>((resolve) => {
        onGone = resolve;
        if (open.size === 0) resolve();
      }),
  };
}
