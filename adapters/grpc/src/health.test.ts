import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ServiceError, status } from '@grpc/grpc-js';
import { grpcClient, unary } from '../test/grpc-js.ts';
import { serveEcho } from '../test/server.ts';

interface Health {
  readonly status: string;
}

const healthClient = (address: string) => grpcClient(address, 'grpc/health/v1/health.proto', 'grpc.health.v1.Health');

test('whoever asks hears whether the process, or a service of it, takes calls', async () => {
  let isServing = true;
  await using server = await serveEcho({}, { isServing: () => isServing });
  const client = healthClient(server.http2);
  const check = (service: string) => unary<Health>((done) => client.check({ service }, done));
  assert.equal((await check('')).status, 'SERVING');
  assert.equal((await check('echo.v1.EchoService')).status, 'SERVING');
  await assert.rejects(check('echo.v1.Nobody'), (error: ServiceError) => error.code === status.NOT_FOUND);
  isServing = false;
  assert.equal((await check('')).status, 'NOT_SERVING');
  client.close();
});

test('a watcher hears of every change, and of the end', async () => {
  let isServing = true;
  await using server = await serveEcho({}, { isServing: () => isServing });
  const client = healthClient(server.http2);
  const call = client.watch({ service: '' });
  const heard = (call as AsyncIterable<Health>)[Symbol.asyncIterator]();
  assert.equal((await heard.next()).value.status, 'SERVING');
  isServing = false;
  assert.equal((await heard.next()).value.status, 'NOT_SERVING');
  isServing = true;
  assert.equal((await heard.next()).value.status, 'SERVING');
  const over = assert.rejects(heard.next(), (error: ServiceError) => error.code === status.UNAVAILABLE);
  server.router.drain();
  await over;
  client.close();
});

test('a watcher of a service that is not there is told so, and waits', async () => {
  await using server = await serveEcho();
  const client = healthClient(server.http2);
  const call = client.watch({ service: 'echo.v1.Nobody' });
  call.on('error', () => {});
  const [health] = await new Promise<[Health]>((resolve) => call.once('data', (data: Health) => resolve([data])));
  assert.equal(health.status, 'SERVICE_UNKNOWN');
  call.cancel();
  client.close();
});
