import type { Socket } from 'node:net';
import type { Timer, Timers } from '@souk/kernel';
import type { Transport } from './responder.ts';

/**
 * Answers the questions of one TCP connection in their order, each with its length before it (RFC 1035 section 4.2.2, RFC 7766). A client
 * that does not read its answers is not read either; one that is silent, or takes too long for a question, is closed.
 */
export function serveConnection(options: {
  readonly socket: Socket;
  readonly timers: Timers;
  readonly idleMs: number;
  readonly respond: (query: Uint8Array, transport: Transport) => Uint8Array | undefined;
}): void {
  const { socket, timers, idleMs, respond } = options;
  let pending: Buffer = Buffer.alloc(0);
  let idle: Timer;

  const rest = (): void => {
    idle?.cancel();
    idle = timers.after(idleMs, () => socket.destroy());
  };

  const answerAll = (): void => {
    let at = 0;
    while (pending.length >= at + 2) {
      const end = at + 2 + pending.readUInt16BE(at);
      if (pending.length < end) break;
      const answer = respond(pending.subarray(at + 2, end), 'tcp');
      at = end;
      // Whoever sends what is no question over a connection is out of step with us.
      if (answer === undefined) return void socket.destroy();
      rest();
      const framed = Buffer.alloc(2 + answer.length);
      framed.writeUInt16BE(answer.length);
      framed.set(answer, 2);
      if (!socket.write(framed)) {
        socket.pause();
        break;
      }
    }
    pending = pending.subarray(at);
  };

  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    answerAll();
  });
  socket.on('drain', () => {
    answerAll();
    if (!socket.writableNeedDrain) socket.resume();
  });
  // A connection that breaks is the client's to open again.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => idle.cancel());
  rest();
}
