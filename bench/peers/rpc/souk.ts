// Calls through everything that a call between two services passes: client with policy, balanced transport, channel, router.

import { createServer } from 'node:http';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { grpcHandler } from '@souk/adapter-grpc';
import { createHttpTransport } from '@souk/adapter-undici';
import { type Instance, type Picker, UP } from '@souk/discovery';
import { type Runtime, rootContext, systemRuntime } from '@souk/kernel';
import { createPolicyRegistry } from '@souk/resilience';
import { createBalancedTransport, createChannelServer, createClient, createHttpHandler, createRouter } from '@souk/rpc';
import { silentTelemetry } from '@souk/telemetry';
import { EchoService, measureCalls, readRpcOrder, serving, TIMEOUT_MS } from '../../lib/echo.ts';

const order = readRpcOrder();
const runtime: Runtime = systemRuntime();
const telemetry = silentTelemetry(runtime, 'bench');
/** Calls at once, as many as there are: the peers know no limit either. Connections are as many as by default. */
const MANY = 1024;

if (order.role === 'client') {
  const protocol = order.tls === undefined ? 'http' : 'https';
  const instance: Instance = {
    ...{ id: 'echo-1', service: 'echo', address: '127.0.0.1', port: order.port, protocol, version: '1.0.0' },
    ...{ zone: '', weight: 1, tags: [], meta: {}, incarnation: '1', ...UP },
  };
  const picked = { instance, done: () => {} };
  const picker: Picker = { update: () => {}, pick: () => picked, close: () => {} };
  const http = createHttpTransport({
    ...{ runtime, telemetry },
    ...(order.tls && { tls: order.tls }),
  });
  const transport = createBalancedTransport({ service: 'echo', picker, connect: http.to, runtime, telemetry });
  const rules = { rules: { '*': { breaker: null, bulkhead: { limit: MANY } } } };
  const policies = createPolicyRegistry({ runtime, rules });
  const client = createClient(EchoService, transport, { runtime, telemetry, callerService: 'bench', policies });
  await measureCalls(order, (asked) => client.echo(rootContext({ runtime }), asked, { timeoutMs: TIMEOUT_MS }));
} else {
  const router = createRouter({ runtime, telemetry });
  router.add(EchoService, {
    echo: async (_ctx, { id, quantity, note }) => ({ id, quantity, note }),
    repeat: async function* (_ctx, { id, quantity, note }) {
      for (let at = 0; at < quantity; at++) yield { id, quantity: at, note };
    },
  });
  const authenticate = async () => ({ roles: [], service: 'bench' });
  const framings = [grpcHandler({ router })];
  const handler = createHttpHandler({ router, runtime, telemetry, authenticate, framings });
  const mutual = { ...order.tls, requestCert: true, rejectUnauthorized: true };
  const serves = {
    plain: () => createServer({ noDelay: true }, handler),
    tls: () => createTlsServer({ noDelay: true, ...mutual }, handler),
    // gRPC is spoken over HTTP/2.
    stream: () => (order.tls ? createSecureServer(mutual, handler as never) : createHttp2Server(handler as never)),
  };
  const server = serves[order.role === 'stream' ? 'stream' : order.tls ? 'tls' : 'plain']();
  const channels = createChannelServer({ router, runtime, telemetry, authenticate });
  server.on('upgrade', (_request, socket, head) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${channels.protocol}\r\n\r\n`);
    channels.accept(socket, head);
  });
  server.listen(0, '127.0.0.1', () => serving((server.address() as AddressInfo).port));
}
