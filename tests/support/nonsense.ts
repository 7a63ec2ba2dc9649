// What strangers, broken clients and broken networks say to a port.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';

const upgrade = (protocol: string): string =>
  `GET /souk.rpc.Channel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`;

const CHANNEL = upgrade('souk-calls/1');
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** Empty settings of HTTP/2. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const post = (path: string, type: string, length: number, more = ''): string =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n${more}\r\n`;

/** A frame of a channel that says of itself what it likes. */
function frame(length: number, kind: number, text: string, textBytes = Buffer.byteLength(text)): Buffer {
  const head = Buffer.alloc(15);
  head.writeUInt32LE(length, 0);
  head[4] = kind;
  head.writeUInt32LE(1, 5);
  head.writeUInt32LE(1000, 9);
  head.writeUInt16LE(textBytes, 13);
  return Buffer.concat([head, Buffer.from(text)]);
}

export const NONSENSE: Readonly<Record<string, readonly (string | Buffer)[]>> = {
  'random bytes': [randomBytes(5000)],
  'a greeting of TLS': [Buffer.from('16030100c8010000c40303', 'hex'), randomBytes(190)],
  'a greeting of Redis': ['*1\r\n$4\r\nPING\r\n'],
  'half of HTTP/2, then random bytes': [PREFACE.slice(0, 10), randomBytes(100)],
  'HTTP/2 with random frames': [PREFACE, SETTINGS, randomBytes(3000)],
  'HTTP/2 with a frame of 16 MB': [PREFACE, SETTINGS, Buffer.from([255, 255, 255, 0, 0, 0, 0, 0, 1])],
  'a head without an end': [`GET / HTTP/1.1\r\nx: ${'y'.repeat(100_000)}`],
  'two lengths': ['POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!'],
  'a length and chunks': [
    'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  'a gRPC message of 4 GB': [
    post('/souk.orders.v1.OrderService/GetOrder', 'application/grpc-web+proto', 5),
    Buffer.from([0, 255, 255, 255, 255]),
  ],
  'a compressed message that is none': [
    post('/souk.orders.v1.OrderService/GetOrder', 'application/proto', 4, 'content-encoding: gzip\r\n'),
    'none',
  ],
  'a time limit that is none': [
    post('/souk.orders.v1.OrderService/GetOrder', 'application/proto', 0, 'connect-timeout-ms: soon\r\n'),
  ],
  'an upgrade to what nobody knows': [upgrade('websocket')],
  'a channel of random bytes': [CHANNEL, randomBytes(3000)],
  'a channel with a frame of 4 GB': [CHANNEL, frame(0xffff_ffff, 1, 'proto\0a/B')],
  'a channel with a frame shorter than its head': [CHANNEL, frame(3, 1, '')],
  'a channel with a text beyond its frame': [CHANNEL, frame(11, 1, '', 60_000)],
  'a channel with an answer': [CHANNEL, frame(11, 2, '')],
  'a channel with a call of nobody': [CHANNEL, frame(25, 1, 'proto\0nothing')],
};

/** Long enough for whoever answers at all. */
const LISTEN_MS = 300;

/** Says it, waits a moment for what comes of it, and leaves. */
export async function say(port: number, words: readonly (string | Buffer)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  for (const word of words) socket.write(word);
  const closed = once(socket, 'close').catch(() => {});
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LISTEN_MS))]);
  socket.destroy();
  return heard;
}
