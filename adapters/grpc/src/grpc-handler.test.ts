import assert from 'node:assert/strict';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { SayRequestSchema, SayResponseSchema } from '../test/echo.ts';
import { type EchoServer, serveEcho } from '../test/server.ts';
import { FrameReader, writeFrame } from './frame.ts';

const COUNT = '/echo.v1.EchoService/Count';
const encode = (text: string, times = 0) => toBinary(SayRequestSchema, create(SayRequestSchema, { text, times }));
const textOf = (data: Uint8Array) => fromBinary(SayResponseSchema, data).text;

/** One request over HTTP/2, byte for byte. */
async function send(
  server: EchoServer,
  path: string,
  headers: Record<string, string>,
  body: Uint8Array,
  method = 'POST',
) {
  const session = connectHttp2(`http://${server.http2}`);
  const stream = session.request({ ':path': path, ':method': method, ...headers }, { endStream: false });
  stream.on('error', () => {});
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on('response', (received) => {
    head = received;
  });
  stream.on('trailers', (received) => {
    trailers = received;
  });
  stream.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  session.destroy();
  return { status: head[':status'], head, trailers, body: Buffer.concat(chunks) };
}

const framesOf = async (body: Buffer) =>
  Array.fromAsync(
    new FrameReader(
      (async function* () {
        yield body;
      })(),
      1_000_000,
    ),
  );

test('gRPC-Web in bytes ends with its trailers in the body, as curl would show', async () => {
  await using server = await serveEcho();
  const headers = { 'content-type': 'application/grpc-web+proto' };
  const body = Buffer.from(writeFrame(0, encode('a', 2)));
  const response = await fetch(`http://${server.http1}${COUNT}`, { method: 'POST', headers, body });
  assert.equal(response.headers.get('content-type'), 'application/grpc-web+proto');
  const frames = await framesOf(Buffer.from(await response.arrayBuffer()));
  assert.deepEqual(
    frames.map(({ flags }) => flags),
    [0, 0, 128],
  );
  assert.equal(Buffer.from(frames[2]!.data).toString(), 'grpc-status: 0\r\n');
});

test('gRPC-Web in base64 is read in pieces that are padded, and written so', async () => {
  await using server = await serveEcho();
  const headers = { 'content-type': 'application/grpc-web-text' };
  const frame = Buffer.from(writeFrame(0, encode('abc', 2)));
  const body = frame.subarray(0, 4).toString('base64') + frame.subarray(4).toString('base64');
  const response = await fetch(`http://${server.http1}${COUNT}`, { method: 'POST', headers, body });
  assert.equal(response.headers.get('content-type'), 'application/grpc-web-text+proto');
  const pieces = (await response.text()).match(/[^=]+=*/g) ?? [];
  const frames = await framesOf(Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))));
  assert.equal(frames.length, 3);
  assert.equal(textOf(frames[0]!.data), 'abc');
  const broken = await fetch(`http://${server.http1}${COUNT}`, { method: 'POST', headers, body: 'AAA*' });
  const [end] = await framesOf(Buffer.from(await broken.text(), 'base64'));
  assert.match(Buffer.from(end!.data).toString(), /^grpc-status: 3\r\n/m);
});

test('a stream of Connect in JSON ends with an object that says how', async () => {
  await using server = await serveEcho();
  const headers = { 'content-type': 'application/connect+json' };
  const ask = async (request: string) => {
    const body = Buffer.from(writeFrame(0, Buffer.from(request)));
    const response = await fetch(`http://${server.http1}${COUNT}`, { method: 'POST', headers, body });
    assert.equal(response.status, 200);
    const frames = await framesOf(Buffer.from(await response.arrayBuffer()));
    return frames.map(({ flags, data }) => [flags, JSON.parse(Buffer.from(data).toString())]);
  };
  assert.deepEqual(await ask('{"text":"a","times":1}'), [
    [0, { text: 'a', number: '1' }],
    [2, {}],
  ]);
  const [[flags, end]] = (await ask('{"txt":"a"}')) as [[number, { error: { code: string } }]];
  assert.deepEqual([flags, end.error.code], [2, 'invalid_argument']);
});

test('messages are compressed only where it was agreed and where it pays', async () => {
  await using server = await serveEcho();
  const ask = async (text: string, headers: Record<string, string>) => {
    const type = { 'content-type': 'application/grpc', ...headers };
    const body =
      headers['grpc-encoding'] === 'gzip' ? writeFrame(1, gzipSync(encode(text, 1))) : writeFrame(0, encode(text, 1));
    const answer = await send(server, COUNT, type, body);
    assert.equal(answer.trailers['grpc-status'], '0');
    const [frame] = await framesOf(answer.body);
    return {
      flags: frame!.flags,
      encoding: answer.head['grpc-encoding'],
      text: textOf(frame!.flags ? gunzipSync(frame!.data) : frame!.data),
    };
  };
  const long = 'x'.repeat(5000);
  assert.deepEqual(await ask(long, {}), { flags: 0, encoding: undefined, text: long });
  assert.deepEqual(await ask(long, { 'grpc-accept-encoding': 'identity,gzip' }), {
    flags: 1,
    encoding: 'gzip',
    text: long,
  });
  assert.deepEqual(await ask('x', { 'grpc-accept-encoding': 'gzip' }), { flags: 0, encoding: 'gzip', text: 'x' });
  assert.deepEqual(await ask(long, { 'grpc-encoding': 'gzip' }), { flags: 0, encoding: undefined, text: long });
});

test('what is not well formed is answered in the words of its protocol', async () => {
  let called = 0;
  await using server = await serveEcho({
    say: async () => {
      called += 1;
      return {};
    },
    count: async function* () {
      called += 1;
      yield {};
    },
  });
  const grpc = { 'content-type': 'application/grpc' };
  const good = writeFrame(0, encode('a'));
  const SAY = '/echo.v1.EchoService/Say';
  const cases: [what: string, path: string, headers: Record<string, string>, body: Uint8Array, status: string][] = [
    ['no message', SAY, grpc, new Uint8Array(0), '12'],
    ['two messages', SAY, grpc, Buffer.concat([good, good]), '12'],
    ['two messages for one', COUNT, grpc, Buffer.concat([good, good]), '12'],
    ['half a message', COUNT, grpc, good.subarray(0, 6), '3'],
    ['half a head', SAY, grpc, good.subarray(0, 3), '3'],
    ['unknown flags', COUNT, grpc, writeFrame(4, encode('a')), '3'],
    ['trailers of a client', COUNT, grpc, writeFrame(128, encode('a')), '3'],
    ['compressed without a header', COUNT, grpc, writeFrame(1, gzipSync(encode('a'))), '3'],
    ['compressed, but not as said', COUNT, { ...grpc, 'grpc-encoding': 'gzip' }, writeFrame(1, encode('a')), '3'],
    ['unknown compression', SAY, { ...grpc, 'grpc-encoding': 'snappy' }, good, '12'],
    ['a length that nobody sends', SAY, grpc, Buffer.from([0, 255, 255, 255, 255]), '8'],
    ['no time', SAY, { ...grpc, 'grpc-timeout': 'soon' }, good, '3'],
    ['a time that is over', SAY, { ...grpc, 'grpc-timeout': '0m' }, good, '4'],
    ['a time that is over, streaming', COUNT, { ...grpc, 'grpc-timeout': '0n' }, good, '4'],
    ['unknown service', '/echo.v1.Nobody/Say', grpc, good, '12'],
    ['a path that is none', '/', grpc, good, '12'],
  ];
  for (const [what, path, headers, body, status] of cases) {
    const answer = await send(server, path, headers, body);
    assert.equal(answer.status, 200, what);
    assert.equal(answer.trailers['grpc-status'], status, `${what}: ${answer.trailers['grpc-message']}`);
  }
  assert.equal(called, 0);
  const bomb = writeFrame(1, gzipSync(Buffer.alloc(20_000_000)));
  const bombed = await send(server, COUNT, { ...grpc, 'grpc-encoding': 'gzip' }, bomb);
  assert.equal(bombed.trailers['grpc-status'], '8');
  const snappy = await send(server, SAY, { ...grpc, 'grpc-encoding': 'snappy' }, good);
  assert.equal(snappy.head['grpc-accept-encoding'], 'gzip,br');
});

test('the wrong content type, verb and version of HTTP are refused by status', async () => {
  await using server = await serveEcho();
  const frame = Buffer.from(writeFrame(0, encode('a')));
  const status = async (path: string, method: string, type: string) => {
    const init = method === 'GET' ? { method } : { method, body: frame };
    const response = await fetch(`http://${server.http1}${path}`, { ...init, headers: { 'content-type': type } });
    return response.status;
  };
  assert.equal(await status(COUNT, 'POST', 'application/json'), 415);
  assert.equal(await status(COUNT, 'POST', 'application/grpc-web+thrift'), 415);
  assert.equal(await status(COUNT, 'GET', 'application/grpc-web'), 405);
  assert.equal(await status(COUNT, 'POST', 'application/grpc'), 505);
  assert.equal(await status('/echo.v1.EchoService/Talk', 'POST', 'application/connect+proto'), 505);
  assert.equal(await status('/echo.v1.EchoService/Say', 'POST', 'application/connect+proto'), 415);
  assert.equal((await send(server, COUNT, { 'content-type': 'application/grpc' }, frame, 'PUT')).status, 405);
});

test('no body whatever stops the server', async () => {
  await using server = await serveEcho();
  const session = connectHttp2(`http://${server.http2}`);
  const types = [
    'application/grpc',
    'application/grpc-web',
    'application/grpc-web-text',
    'application/connect+json',
    'application/connect+proto',
  ];
  const methods = ['Say', 'Count', 'Join', 'Talk'];
  const frame = fc
    .record({ flags: fc.constantFrom(0, 1, 2, 128, 255), data: fc.uint8Array({ maxLength: 30 }) })
    .map(({ flags, data }) => Buffer.from(writeFrame(flags, data)));
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.array(frame, { maxLength: 5 }).map((frames) => Buffer.concat(frames)),
  );
  const encodings = fc.constantFrom('identity', 'gzip', 'br', 'x');
  await fc.assert(
    fc.asyncProperty(
      bodies,
      fc.constantFrom(...types),
      fc.constantFrom(...methods),
      encodings,
      async (body, type, name, encoding) => {
        const path = `/echo.v1.EchoService/${name}`;
        const compressed = { 'grpc-encoding': encoding, 'connect-content-encoding': encoding };
        const stream = session.request({ ':path': path, ':method': 'POST', 'content-type': type, ...compressed });
        stream.end(body);
        for await (const _chunk of stream);
        assert.equal(stream.rstCode, 0);
      },
    ),
    { numRuns: 200 },
  );
  session.destroy();
  const answer = await send(server, COUNT, { 'content-type': 'application/grpc' }, writeFrame(0, encode('a', 1)));
  assert.equal(answer.trailers['grpc-status'], '0');
});
