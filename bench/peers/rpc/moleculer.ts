// Its TCP transporter, with the serializer that it ships (JSON).

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { type BrokerOptions, ServiceBroker } from 'moleculer';
import { type Fields, measureCalls, readRpcOrder, serving, TIMEOUT_MS } from '../../lib/echo.ts';

const order = readRpcOrder();

const options = (nodeID: string, port: number | null, urls: string[]): BrokerOptions => ({
  nodeID,
  logger: false,
  requestTimeout: TIMEOUT_MS,
  transporter: { type: 'TCP', options: { udpDiscovery: false, port, urls } },
});

/** The transporter wants to be told its port. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });

if (order.role === 'client') {
  const own = await freePort();
  const broker = new ServiceBroker(options(`client-${process.pid}`, own, [`127.0.0.1:${order.port}/server`]));
  await broker.start();
  await broker.waitForServices('echo', 20_000, 50);
  await measureCalls(
    order,
    ({ id, quantity, note }) => broker.call('echo.echo', { id, quantity, note }) as Promise<Fields>,
  );
} else {
  const port = await freePort();
  const broker = new ServiceBroker(options('server', port, [`127.0.0.1:${port}/server`]));
  broker.createService({
    name: 'echo',
    actions: { echo: ({ params: { id, quantity, note } }: { params: Fields }) => ({ id, quantity, note }) },
  });
  await broker.start();
  serving(port);
}
