// What is left when nothing is asked for but the call: node:http, undici and protobuf.

import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { decode, encode, measureCalls, readRpcOrder, serving } from '../../lib/echo.ts';

const order = readRpcOrder();
const TYPE = 'application/proto';

if (order.role === 'client') {
  const pool = new Pool(`${order.tls ? 'https' : 'http'}://127.0.0.1:${order.port}`, {
    ...{ connections: order.concurrency, headersTimeout: 0, bodyTimeout: 0, allowH2: false },
    ...(order.tls && { connect: { ...order.tls } }),
  });
  const path = '/bench.v1.EchoService/Echo';
  await measureCalls(order, async (asked) => {
    const headers = { 'content-type': TYPE };
    const { body } = await pool.request({ method: 'POST', path, headers, body: encode(asked) });
    return decode(new Uint8Array(await body.arrayBuffer()));
  });
} else {
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { id, quantity, note, $typeName } = decode(Buffer.concat(chunks));
      const body = encode({ $typeName, id, quantity, note });
      response.writeHead(200, { 'content-type': TYPE, 'content-length': body.length });
      response.end(body);
    });
  };
  const server = order.tls
    ? createTlsServer({ ...order.tls, requestCert: true, rejectUnauthorized: true }, listener)
    : createServer(listener);
  server.listen(0, '127.0.0.1', () => serving((server.address() as AddressInfo).port));
}
