import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compressionAlgorithms, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type Context, SoukError } from '@souk/kernel';
import { detailsOf, echoClient, readAll, unary } from '../test/grpc-js.ts';
import { serveEcho } from '../test/server.ts';

interface Said {
  readonly text: string;
  readonly number: number;
}

const failure = (work: Promise<unknown>): Promise<ServiceError> =>
  work.then(
    () => assert.fail('it did not fail'),
    (error: ServiceError) => error,
  );
const metadataOf = (values: Record<string, string>): Metadata => {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(values)) metadata.set(name, value);
  return metadata;
};
const within = (ms: number) => ({ deadline: new Date(Date.now() + ms) });

test('all four kinds of calls', async () => {
  await using server = await serveEcho();
  const client = echoClient(server.http2);
  const said = await unary<Said>((done) => client.say({ text: 'hi' }, done));
  assert.equal(said.text, 'hi');
  assert.deepEqual(
    (await readAll<Said>(client.count({ text: 'x', times: 3 }))).map(({ number }) => number),
    [1, 2, 3],
  );
  const joined = unary<Said>((done) => {
    const call = client.join(done);
    for (const text of ['a', 'b', 'c']) call.write({ text });
    call.end();
  });
  assert.deepEqual(await joined, { text: 'a b c', number: 3 });
  const talk = client.talk();
  const heard = readAll<Said>(talk);
  talk.write({ text: 'a' });
  talk.write({ text: 'b' });
  talk.end();
  assert.deepEqual(
    (await heard).map(({ text }) => text),
    ['a', 'b'],
  );
  client.close();
});

test('in a talk, each side hears the other while both are speaking', async () => {
  await using server = await serveEcho();
  const client = echoClient(server.http2);
  const talk = client.talk();
  const replies = (talk as AsyncIterable<Said>)[Symbol.asyncIterator]();
  for (const text of ['a', 'b', 'c']) {
    talk.write({ text });
    assert.equal((await replies.next()).value.text, text);
  }
  talk.end();
  assert.equal((await replies.next()).done, true);
  client.close();
});

test('a deadline reaches the handler, smaller than it was, and ends what takes longer', async () => {
  const left: number[] = [];
  await using server = await serveEcho({
    say: async (ctx) => {
      left.push(ctx.remainingMs());
      return {};
    },
    count: async function* (ctx) {
      left.push(ctx.remainingMs());
      yield { text: 'first' };
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
      left.push(-1);
    },
  });
  const client = echoClient(server.http2);
  await unary((done) => client.say({ text: 'x' }, within(700), done));
  assert.ok(left[0]! > 0 && left[0]! <= 700, String(left));
  const error = await failure(readAll(client.count({ text: 'x' }, within(300))));
  assert.equal(error.code, status.DEADLINE_EXCEEDED);
  assert.ok(left[1]! > 0 && left[1]! <= 300, String(left));
  while (left.length < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(left[2], -1, 'the handler is told');
  client.close();
});

test('a client that cancels in the middle of a stream ends its handler', async () => {
  let ended: (why: string) => void = () => {};
  const end = new Promise<string>((resolve) => {
    ended = resolve;
  });
  await using server = await serveEcho({
    talk: async function* (ctx, requests) {
      try {
        for await (const { text } of requests) yield { text };
      } finally {
        ended((ctx.signal.reason as SoukError | undefined)?.code ?? 'nothing');
      }
    },
  });
  const client = echoClient(server.http2);
  const talk = client.talk();
  const heard = failure(readAll(talk));
  talk.write({ text: 'a' });
  talk.once('data', () => talk.cancel());
  assert.equal((await heard).code, status.CANCELLED);
  assert.equal(await end, 'canceled');
  client.close();
});

test('an error comes with its details, typed', async () => {
  const thrown = new SoukError({
    code: 'resource_exhausted',
    reason: 'ECHO_HOARSE',
    message: 'too loud: 100 %, ünd\nmore',
    retry: { kind: 'later', afterMs: 1250 },
    violations: [{ pointer: '/text', detail: 'must be quiet' }],
    details: { volume: '11' },
    cause: new Error('secret'),
  });
  await using server = await serveEcho({
    say: () => Promise.reject(thrown),
    count: async function* () {
      yield { text: 'first' };
      throw thrown;
    },
    join: async (_ctx, requests) => {
      for await (const _request of requests) throw thrown;
      return {};
    },
  });
  const client = echoClient(server.http2);
  const heard: Said[] = [];
  const counting = client.count({ text: 'x' });
  counting.on('data', (said: Said) => heard.push(said));
  const streamed = new Promise((_, reject) => counting.on('error', reject));
  const joining = unary((done) => {
    const call = client.join(done);
    call.on('error', () => {});
    for (let time = 0; time < 5; time++) call.write({ text: 'x' });
  });
  const said = unary((done) => client.say({ text: 'x' }, done));
  for (const error of await Promise.all([said, streamed, joining].map(failure))) {
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
    assert.equal(error.details, thrown.message);
    assert.deepEqual(detailsOf(error.metadata), [
      {
        type: 'google.rpc.ErrorInfo',
        value: { reason: 'ECHO_HOARSE', domain: 'souk', metadata: { volume: '11', '@retry': 'later' } },
      },
      { type: 'google.rpc.BadRequest', value: { fieldViolations: [{ field: '/text', description: 'must be quiet' }] } },
      { type: 'google.rpc.RetryInfo', value: { retryDelay: { seconds: 1, nanos: 250_000_000 } } },
    ]);
  }
  assert.equal(heard.length, 1, 'what was said before is heard');
  client.close();
});

test('who calls, under which key and in which trace, is read from the metadata', async () => {
  let seen: Context | undefined;
  await using server = await serveEcho({
    say: async (ctx) => {
      seen = ctx;
      return {};
    },
  });
  const client = echoClient(server.http2);
  const anna = metadataOf({ authorization: 'Bearer anna', 'idempotency-key': 'k1' });
  assert.equal((await unary<Said>((done) => client.pay({ text: 'x' }, anna, done))).text, 'anna k1 x');
  const traceparent = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`;
  await unary((done) => client.say({ text: 'x' }, metadataOf({ traceparent }), done));
  assert.equal(seen?.trace.traceId, 'c'.repeat(32));
  const codes = async (metadata: Metadata) =>
    (await failure(unary((done) => client.pay({ text: 'x' }, metadata, done)))).code;
  assert.equal(await codes(new Metadata()), status.UNAUTHENTICATED);
  assert.equal(await codes(metadataOf({ authorization: 'Bearer stale' })), status.UNAUTHENTICATED);
  assert.equal(await codes(metadataOf({ authorization: 'Bearer anna' })), status.INVALID_ARGUMENT);
  assert.equal((await failure(readAll(client.inside({ text: 'x' }, anna)))).code, status.PERMISSION_DENIED);
  assert.deepEqual(await readAll(client.inside({ text: 'x' }, metadataOf({ 'test-service': 'orders' }))), []);
  client.close();
});

test('what breaks the rules is refused, in a single call and in the middle of a stream', async () => {
  await using server = await serveEcho();
  const client = echoClient(server.http2);
  const single = await failure(unary((done) => client.say({ text: '' }, done)));
  assert.equal(single.code, status.INVALID_ARGUMENT);
  const talk = client.talk();
  const heard: string[] = [];
  talk.on('data', ({ text }: Said) => heard.push(text));
  const broken = new Promise((_, reject) => talk.on('error', reject));
  talk.write({ text: 'a' });
  talk.write({ text: '' });
  const error = await failure(broken);
  assert.equal(error.code, status.INVALID_ARGUMENT);
  assert.equal(detailsOf(error.metadata)[1]?.type, 'google.rpc.BadRequest');
  assert.deepEqual(heard, ['a']);
  client.close();
});

test('messages are compressed both ways with gzip where that was agreed', async () => {
  await using server = await serveEcho();
  const client = echoClient(server.http2, { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip });
  const text = 'x'.repeat(100_000);
  const call = client.talk();
  const heard = readAll<Said>(call);
  call.write({ text });
  call.write({ text: 'small' });
  call.end();
  assert.deepEqual(
    (await heard).map((said) => said.text.length),
    [100_000, 5],
  );
  assert.equal((await unary<Said>((done) => client.say({ text }, done))).text, text);
  client.close();
});

test('a message over the limit is refused, also one that is small only while it is compressed', async () => {
  await using server = await serveEcho({}, { maxMessageBytes: 10_000 });
  for (const algorithm of [compressionAlgorithms.identity, compressionAlgorithms.gzip]) {
    const client = echoClient(server.http2, { 'grpc.default_compression_algorithm': algorithm });
    const error = await failure(unary((done) => client.say({ text: 'x'.repeat(20_000) }, done)));
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
    const stream = failure(
      unary((done) =>
        client
          .join(done)
          .on('error', () => {})
          .write({ text: 'x'.repeat(20_000) }),
      ),
    );
    assert.equal((await stream).code, status.RESOURCE_EXHAUSTED);
    client.close();
  }
});

test('a method that nobody serves is unimplemented', async () => {
  await using server = await serveEcho();
  const client = echoClient(server.http2);
  const identity = (value: Buffer) => value;
  const unknown = unary((done) =>
    client.makeUnaryRequest('/echo.v1.EchoService/Nothing', identity, identity, Buffer.alloc(0), done),
  );
  assert.equal((await failure(unknown)).code, status.UNIMPLEMENTED);
  client.close();
});

test('what is no message of the method is refused', async () => {
  await using server = await serveEcho();
  const client = echoClient(server.http2);
  const identity = (value: Buffer) => value;
  const nonsense = unary((done) =>
    client.makeUnaryRequest('/echo.v1.EchoService/Say', identity, identity, Buffer.from([255, 255, 255]), done),
  );
  assert.equal((await failure(nonsense)).code, status.INVALID_ARGUMENT);
  client.close();
});
