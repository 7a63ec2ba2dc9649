import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import type { Catalog } from '../state/catalog.ts';
import { dnsErrors } from './errors.ts';
import { createResolver } from './resolver.ts';
import { createResponder } from './responder.ts';
import { type DnsSettings, dnsDefaults } from './settings.ts';
import { serveConnection } from './tcp-connection.ts';

/** A port that TCP gave may be taken for UDP. */
const PORT_ATTEMPTS = 20;

export interface DnsServer {
  /**
   * Resolves when it answers over UDP and TCP.
   * @throws REGISTRY_DNS_NO_PORT when the port is taken
   */
  start(): Promise<void>;
  /** Closes all at once: a question in flight is asked again by its client, elsewhere. */
  stop(): Promise<void>;
  /** The port it listens on; 0 before it does. */
  readonly port: number;
}

/**
 * Serves the catalog as a DNS zone over UDP and TCP on one port.
 * @param options.port 0 for any that is free.
 */
export function createDnsServer(options: {
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly catalog: Pick<Catalog, 'self' | 'node' | 'instancesOf'>;
  readonly datacenter: string;
  readonly host: string;
  readonly port: number;
  /** Default: {@link dnsDefaults}. */
  readonly settings?: Partial<DnsSettings>;
}): DnsServer {
  const { runtime, log, catalog, datacenter, host } = options;
  const settings = { ...dnsDefaults, ...options.settings };
  const resolver = createResolver({ runtime, catalog, datacenter, settings });
  const respond = createResponder({ resolver, log, udpMaxBytes: settings.udpMaxBytes });
  const connections = new Set<Socket>();
  let tcp: Server | undefined;
  let udp: UdpSocket | undefined;
  let port = 0;

  const listenTcp = async (): Promise<Server> => {
    const server = createServer((socket) => {
      connections.add(socket);
      socket.on('close', () => connections.delete(socket));
      serveConnection({ socket, timers: runtime.timers, idleMs: settings.tcpIdleMs, respond });
    });
    server.maxConnections = settings.tcpMaxConnections;
    server.listen(options.port, host);
    await once(server, 'listening');
    server.on('error', (error) => log.warn('DNS over TCP met an error', { err: fromUnknown(error) }));
    return server;
  };

  const listenUdp = async ({ address, port: wanted }: AddressInfo): Promise<UdpSocket> => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    socket.on('message', (query, from) => {
      const answer = from.port === 0 ? undefined : respond(query, 'udp');
      // A datagram that cannot be sent is a datagram lost: the client asks again.
      if (answer !== undefined) socket.send(answer, from.port, from.address, () => {});
    });
    try {
      socket.bind(wanted, address);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.on('error', (error) => log.warn('DNS over UDP met an error', { err: fromUnknown(error) }));
    return socket;
  };

  const close = async (): Promise<void> => {
    const [server, socket] = [tcp, udp];
    tcp = undefined;
    udp = undefined;
    port = 0;
    for (const connection of connections) connection.destroy();
    await Promise.all([
      server === undefined ? undefined : new Promise<void>((resolve) => server.close(() => resolve())),
      socket === undefined ? undefined : new Promise<void>((resolve) => socket.close(() => resolve())),
    ]);
  };

  return {
    get port() {
      return port;
    },
    start: async () => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          tcp = await listenTcp();
          const address = tcp.address() as AddressInfo;
          udp = await listenUdp(address);
          port = address.port;
          return;
        } catch (error) {
          await close();
          if (options.port !== 0 || attempt === PORT_ATTEMPTS)
            throw dnsErrors.NO_PORT({ host, port: options.port }, { cause: error });
        }
      }
    },
    stop: close,
  };
}
