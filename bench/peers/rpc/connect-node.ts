// The library over HTTP/2 with binary bodies.

import { createSecureServer, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { EchoSchema, EchoService, measureCalls, readRpcOrder, serving, TIMEOUT_MS } from '../../lib/echo.ts';

const order = readRpcOrder();

if (order.role === 'client') {
  const transport = createConnectTransport({
    baseUrl: order.tls ? `https://localhost:${order.port}` : `http://127.0.0.1:${order.port}`,
    httpVersion: '2',
    useBinaryFormat: true,
    ...(order.tls && { nodeOptions: { ...order.tls } }),
  });
  const client = createClient(EchoService, transport);
  await measureCalls(order, (asked) => client.echo(asked, { timeoutMs: TIMEOUT_MS }));
} else {
  const handler = connectNodeAdapter({
    routes: (router) => {
      router.service(EchoService, {
        echo: ({ id, quantity, note }) => create(EchoSchema, { id, quantity, note }),
      });
    },
  });
  const server = order.tls
    ? createSecureServer({ ...order.tls, requestCert: true, rejectUnauthorized: true }, handler)
    : createServer(handler);
  server.listen(0, '127.0.0.1', () => serving((server.address() as AddressInfo).port));
}
