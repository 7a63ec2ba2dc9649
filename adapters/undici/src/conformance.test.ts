import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { compressionGzip, connectNodeAdapter } from '@connectrpc/connect-node';
import type { SoukError } from '@souk/kernel';
import { EchoService } from '../test/echo.ts';
import { connectTo, reasonOf, serve } from '../test/servers.ts';

const EchoSchema = EchoService.method.get.output;

/** The server of those who made the protocol. */
const serveLibrary = () =>
  serve(
    connectNodeAdapter({
      acceptCompression: [compressionGzip],
      compressMinBytes: 500,
      routes: (router) => {
        router.service(EchoService, {
          get: ({ text, number, payload }, { timeoutMs }) =>
            create(EchoSchema, { text, payload, number: number === -1 ? Math.round(timeoutMs() ?? 0) : number }),
          change: ({ text }) => {
            const code = Code[text as keyof typeof Code];
            throw new ConnectError('as was asked for', code);
          },
        });
      },
    }),
  );

test('the official server serves our client', async () => {
  await using server = await serveLibrary();
  await using client = connectTo(server.target);
  const answer = await client.echo.get(client.ctx, { text: 'ü', number: 7, payload: Uint8Array.of(1, 0) });
  assert.deepEqual([answer.text, answer.number, [...answer.payload]], ['ü', 7, [1, 0]]);
});

test('the official server hears how much time is left', async () => {
  await using server = await serveLibrary();
  await using client = connectTo(server.target);
  const { number } = await client.echo.get(client.ctx.with({ timeoutMs: 900 }), { number: -1 });
  assert.ok(number > 0 && number <= 900, String(number));
});

test('errors of the official server keep code and text', async () => {
  await using server = await serveLibrary();
  await using client = connectTo(server.target);
  const codes = { NotFound: 'not_found', FailedPrecondition: 'failed_precondition', Aborted: 'aborted' };
  for (const [text, code] of Object.entries(codes)) {
    const error = await client.echo.change(client.ctx, { text }).then(
      () => assert.fail(),
      (each: SoukError) => each,
    );
    assert.deepEqual([error.code, error.message], [code, 'as was asked for']);
  }
});

test('the official server takes compressed bodies and gives them', async () => {
  await using server = await serveLibrary();
  await using client = connectTo(server.target, { compressFromBytes: 1000 });
  const text = 'as before, '.repeat(5000);
  assert.equal((await client.echo.get(client.ctx, { text })).text, text);
});

test('the official server refuses methods that it does not have', async () => {
  await using server = await serveLibrary();
  await using client = connectTo(server.target);
  const unknown = client.transport.send({
    ...{ method: 'echo.v1.EchoService/Remove', headers: {}, codec: 'proto', body: new Uint8Array(0) },
    ...{ timeoutMs: 1000, signal: undefined },
  });
  assert.equal(await reasonOf(unknown), 'RPC_REMOTE_UNIMPLEMENTED');
});
