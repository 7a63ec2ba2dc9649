import assert from 'node:assert/strict';
import type { Instance, Registration, Registry } from '@souk/discovery';
import { type LogFields, type Logger, silentLogger, systemRuntime } from '@souk/kernel';
import { Etcd3 } from 'etcd3';
import { type EtcdServer, etcdServer } from '../../../tests/support/programs.ts';
import { createEtcdRegistry, type EtcdRegistryOptions } from '../src/index.ts';

export const runtime = systemRuntime();

export interface World {
  /** Begin of the keys; no other world has it. */
  readonly prefix: string;
  readonly said: { readonly message: string; readonly fields: LogFields | undefined }[];
  registry(options?: Partial<EtcdRegistryOptions>, port?: number): Registry;
  /** The library as it is. */
  client(): Etcd3;
  /** What a registry tells of a service, as it is told. */
  follow(registry: Registry, service?: string): Followed;
}

export interface Followed {
  readonly told: (readonly Instance[])[];
  /** Ids of those that are ready, and in small letters what the others are: `a-1 a-2:starting`. */
  now(): string | undefined;
}

export const registration = (id: string, init: Partial<Registration> = {}): Registration => ({
  id,
  service: 'orders',
  address: '127.0.0.1',
  port: 8080,
  protocol: 'http',
  version: '1.0.0',
  zone: 'a',
  weight: 1,
  tags: [],
  meta: {},
  incarnation: '1',
  ...init,
});

export async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const untilMs = runtime.clock.monotonicMs() + ms;
  while (!(await condition())) {
    assert.ok(runtime.clock.monotonicMs() < untilMs, `never came: ${what}`);
    await runtime.timers.sleep(10);
  }
}

let worlds = 0;

/** Registries of a prefix of their own, closed in the end. */
export async function inWorld(server: EtcdServer, run: (world: World) => Promise<void>): Promise<void> {
  const prefix = `/world-${worlds++}/svc/`;
  const said: World['said'] = [];
  const registries: Registry[] = [];
  const clients: Etcd3[] = [];
  const note = (message: string, fields?: LogFields) => void said.push({ message, fields });
  const log: Logger = { ...silentLogger, info: note, warn: note, error: note, with: () => log };
  try {
    await run({
      prefix,
      said,
      registry: (options = {}, port = server.port) => {
        const hosts = [server.url.startsWith('https') ? `https://localhost:${port}` : `http://127.0.0.1:${port}`];
        const quick = { ttlMs: 2000, callMs: 500, patienceMs: 1000, pingMs: 1000 };
        const made = createEtcdRegistry({ hosts, runtime, log, prefix, ...quick, ...options });
        registries.push(made);
        return made;
      },
      client: () => {
        const made = new Etcd3({ hosts: server.url });
        clients.push(made);
        return made;
      },
      follow: (registry, service = 'orders') => {
        const told: (readonly Instance[])[] = [];
        registry.watch(service, (instances) => void told.push(instances));
        const say = ({ id, ready, terminating }: Instance) =>
          ready ? id : `${id}:${terminating ? 'draining' : 'starting'}`;
        return { told, now: () => told.at(-1)?.map(say).join(' ') };
      },
    });
  } finally {
    await Promise.all(registries.map((one) => one.close()));
    for (const client of clients) client.close();
  }
}

/** Lets clients ask as often whether the server is there as tests want to know. */
export const flags = ['--grpc-keepalive-min-time=500ms'];

/** A server of its own, since it does not survive as it was. */
export async function withServer(
  run: (server: EtcdServer, world: World) => Promise<void>,
  more: readonly string[] = [],
): Promise<void> {
  const server = await etcdServer([...flags, ...more]);
  await server.start();
  try {
    await inWorld(server, (world) => run(server, world));
  } finally {
    await server.close();
  }
}
