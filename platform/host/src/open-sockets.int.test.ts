import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { createHttpServer, type UpgradeTarget } from './http-server.ts';

const REQUEST = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

async function listening(t: TestContext, idleMs: number) {
  const runtime = virtualRuntime();
  const server = createHttpServer({ runtime, port: 0, host: '127.0.0.1', drainMs: 60_000, idleMs });
  await server.listen();
  t.after(async () => {
    const drained = server.drain();
    await runtime.advance(60_000);
    await drained;
  });
  const open = async (): Promise<{ socket: Socket; read: (until: RegExp) => Promise<string> }> => {
    const socket = connect(server.port, '127.0.0.1').on('error', () => {});
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    const read = async (until: RegExp): Promise<string> => {
      while (!until.test(text)) await once(socket, 'data');
      const found = text;
      text = '';
      return found;
    };
    return { socket, read };
  };
  return { runtime, server, open };
}

test('a connection that stops being used is closed only after it was idle for a while, and serves until then', async (t) => {
  const { runtime, server, open } = await listening(t, 3000);
  server.serve((_request, response) => void response.end('x'));
  const [used, unused] = [await open(), await open()];
  for (const { socket, read } of [used, unused]) {
    socket.write(REQUEST);
    await read(/x/);
  }
  server.retire();
  await runtime.advance(1000);
  let drained = false;
  const drain = server.drain().then(() => {
    drained = true;
  });
  await runtime.advance(1500);
  assert.equal(drained, false);
  used.socket.write(REQUEST);
  assert.match(await used.read(/x$/), /connection: close/i);
  const gone = once(unused.socket, 'close');
  await runtime.advance(600);
  await gone;
  await runtime.advance(100);
  await drain;
});

test('a connection on which a request has begun is not idle', async (t) => {
  const { runtime, server, open } = await listening(t, 0);
  server.serve((_request, response) => void response.end('x'));
  const { socket, read } = await open();
  socket.write(REQUEST);
  await read(/x/);
  const arrived = new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
  socket.write(REQUEST.slice(0, 10));
  await arrived;
  const drained = server.drain();
  await runtime.advance(200);
  socket.write(REQUEST.slice(10));
  assert.match(await read(/x/), /connection: close/i);
  await runtime.advance(100);
  await drained;
});

/** Says back what it is told, until it is told to go. */
function echo(): UpgradeTarget {
  const sockets = new Set<import('node:stream').Duplex>();
  return {
    protocol: 'echo/1',
    accept: (socket, head) => {
      sockets.add(socket);
      socket.on('end', () => socket.end());
      socket.write(head);
      socket.pipe(socket, { end: false });
    },
    goAway: () => {
      for (const socket of sockets) socket.write('go');
    },
  };
}

const UPGRADE = (protocol: string) =>
  `GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`;

test('a connection is upgraded to what is served, told to go, and waited for', async (t) => {
  const { runtime, server, open } = await listening(t, 0);
  server.serve((_request, response) => void response.end('plain'), echo());
  const { socket, read } = await open();
  socket.write(`${UPGRADE('echo/1')}hello`);
  const said = await read(/hello/);
  assert.match(said, /^HTTP\/1\.1 101 .*\r\n.*upgrade: echo\/1\r\n\r\nhello/is);
  const drained = server.drain();
  await read(/go/);
  await runtime.advance(5000);
  socket.write('last');
  await read(/last/);
  socket.end();
  await drained;
});

test('a protocol that is not served, or not any more, is answered like any request', async (t) => {
  const { server, open } = await listening(t, 0);
  const early = await open();
  early.socket.write(UPGRADE('echo/1'));
  assert.match(await early.read(/HOST_NOT_READY/), /^HTTP\/1\.1 503/);
  server.serve((_request, response) => void response.end('plain'), echo());
  const other = await open();
  other.socket.write(UPGRADE('websocket'));
  assert.match(await other.read(/plain/), /^HTTP\/1\.1 200/);
  server.retire();
  const late = await open();
  late.socket.write(UPGRADE('echo/1'));
  assert.match(await late.read(/plain/), /^HTTP\/1\.1 200/);
});
