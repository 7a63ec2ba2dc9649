import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRuntime } from '@souk/kernel';
import { type Broker, createBroker } from '../../../tests/support/brokers.ts';
import { freePorts } from '../../../tests/support/leash.ts';

const runtime = systemRuntime();

/** The registry as its operator starts it. Its data survive a kill and a stop. */
export interface RegistryProcess extends Broker {
  readonly url: string;
  readonly dnsPort: number;
}

export async function registryProcess(flags: readonly string[] = []): Promise<RegistryProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'souk-registry-'));
  const [port = 0, dnsPort = 0] = await freePorts(2);
  const main = join(import.meta.dirname, '../src/main.ts');
  const args = [
    ...[main, 'agent', '-server', '-bind', '127.0.0.1', '-data-dir', join(folder, 'data')],
    ...['-http-port', String(port), '-dns-port', String(dnsPort), ...flags],
  ];
  const program = { command: process.execPath, args, env: { PATH: process.env.PATH ?? '' } };
  return { ...createBroker(folder, port, program, 'SIGTERM'), url: `http://127.0.0.1:${port}`, dnsPort };
}

export interface WebTarget {
  readonly name: string;
  readonly port: number;
  close(): void;
}

/** A program that is found through the registry: says its name, and a metric of it. */
export async function webTarget(name: string): Promise<WebTarget> {
  const server = createServer((request, response) => {
    response.end(request.url === '/metrics' ? `web_target{target="${name}"} 1\n` : name);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { name, port, close };
}

/** Waits in real time: outside programs know no other. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, ms = 20_000): Promise<T> {
  for (const untilMs = runtime.clock.monotonicMs() + ms; ; ) {
    const found = await ask();
    if (found !== undefined && found !== false) return found;
    if (runtime.clock.monotonicMs() > untilMs) throw new Error(`never came: ${what}`);
    await runtime.timers.sleep(30);
  }
}
