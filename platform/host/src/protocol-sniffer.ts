import type { Socket } from 'node:net';
import type { Runtime } from '@souk/kernel';

/** Finds out what the client of a new connection speaks, from its first bytes. */
export interface ProtocolSniffer {
  /** Calls `found` once; never for a connection that says nothing in time, which is closed. */
  sniff(socket: Socket, found: (protocol: 'http1' | 'http2') => void): void;
  /** Closes connections that have said nothing yet. */
  closeSilent(): void;
}

/** The preface of HTTP/2 begins with it, and no method of HTTP/1.1 does. */
const HTTP2 = Buffer.from('PRI ');

/** @param silenceMs How long a client may take for its first bytes. */
export function createProtocolSniffer(runtime: Runtime, silenceMs: number): ProtocolSniffer {
  const silent = new Set<Socket>();
  return {
    sniff: (socket, found) => {
      let seen: Buffer = Buffer.alloc(0);
      const tooLate = runtime.timers.after(silenceMs, () => socket.destroy());
      const leave = (): void => {
        tooLate.cancel();
        silent.delete(socket);
        socket.off('data', onData);
        socket.off('close', leave);
        socket.off('error', ignore);
      };
      const onData = (chunk: Buffer): void => {
        seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
        const length = Math.min(seen.length, HTTP2.length);
        const isPreface = HTTP2.subarray(0, length).equals(seen.subarray(0, length));
        if (isPreface && length < HTTP2.length) return;
        leave();
        socket.pause();
        socket.unshift(seen);
        found(isPreface ? 'http2' : 'http1');
      };
      silent.add(socket);
      socket.on('data', onData);
      socket.on('close', leave);
      socket.on('error', ignore);
      // Who hands a connection over keeps it from being read until now.
      socket.resume();
    },
    closeSilent: () => {
      for (const socket of silent) socket.destroy();
    },
  };
}

/** A client that resets its connection before it has said a word has nothing to be told. */
const ignore = (): void => {};
