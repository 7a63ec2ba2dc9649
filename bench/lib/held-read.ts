// A client for many reads that are held open: it costs little itself, so that what is measured is the server.

import { once } from 'node:events';
import { connect } from 'node:net';

export interface HeldAnswer {
  readonly index: number;
  readonly body: string;
}

export interface HeldReader {
  /** One at a time. */
  read(path: string): Promise<HeldAnswer>;
  close(): void;
}

const END_OF_HEAD = '\r\n\r\n';

/** A connection of its own, on which answers with a Content-Length are read. */
export async function heldReader(url: string): Promise<HeldReader> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  socket.setEncoding('latin1');
  await once(socket, 'connect');
  let text = '';
  let waiting: PromiseWithResolvers<HeldAnswer> | undefined;
  socket.on('data', (chunk: string) => {
    text += chunk;
    const end = text.indexOf(END_OF_HEAD);
    if (end === -1) return;
    const head = text.slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
    const from = end + END_OF_HEAD.length;
    if (text.length < from + length) return;
    const found = waiting;
    const body = text.slice(from, from + length);
    text = text.slice(from + length);
    if (!head.startsWith('HTTP/1.1 200')) found?.reject(new Error(head));
    else found?.resolve({ index: Number(/x-consul-index: (\d+)/i.exec(head)?.[1]), body });
  });
  socket.on('error', (error) => waiting?.reject(error));
  return {
    read: (path) => {
      waiting = Promise.withResolvers();
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}
