import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Instance, Registry } from '@souk/discovery';
import { type LogFields, type Logger, silentLogger, systemRuntime } from '@souk/kernel';
import { createKubernetesRegistry, type KubernetesRegistryOptions } from '../src/index.ts';
import { type ApiServer, apiServer, type SliceObject } from './api-server.ts';

export const runtime = systemRuntime();

/** As an API server said it. */
export const recorded = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8'));

export interface World {
  readonly server: ApiServer;
  readonly said: { readonly message: string; readonly fields: LogFields | undefined }[];
  registry(options?: Partial<KubernetesRegistryOptions>): Registry;
  follow(registry: Registry, service?: string): Followed;
}

export interface Followed {
  readonly told: (readonly Instance[])[];
  /** Ids with what they are when not up: `a b:starting c:draining`. */
  now(): string | undefined;
}

export interface PodInit {
  readonly name: string;
  readonly address?: string;
  readonly uid?: string;
  readonly ready?: boolean;
  readonly terminating?: boolean;
}

/** A slice of pods. */
export const slice = (
  name: string,
  pods: readonly PodInit[],
  service = 'orders',
  addressType = 'IPv4',
): SliceObject => ({
  kind: 'EndpointSlice',
  apiVersion: 'discovery.k8s.io/v1',
  metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': service } },
  addressType,
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: pods.map(({ name: pod, address = '10.0.0.1', uid = pod, ready = true, terminating = false }) => ({
    addresses: [address],
    conditions: { ready, serving: ready || terminating, terminating },
    targetRef: { kind: 'Pod', name: pod, namespace: 'shop', uid },
  })),
});

export const say = ({ id, ready, terminating }: Instance): string =>
  ready ? id : `${id}:${terminating ? 'draining' : 'starting'}`;

export async function until(what: string, condition: () => boolean, ms = 10_000): Promise<void> {
  const untilMs = runtime.clock.monotonicMs() + ms;
  while (!condition()) {
    assert.ok(runtime.clock.monotonicMs() < untilMs, `never came: ${what}`);
    await runtime.timers.sleep(5);
  }
}

export async function inWorld(
  run: (world: World) => Promise<void>,
  tls?: { readonly cert: string; readonly key: string },
): Promise<void> {
  const server = await apiServer(tls);
  const said: World['said'] = [];
  const registries: Registry[] = [];
  const note = (message: string, fields?: LogFields) => void said.push({ message, fields });
  const log: Logger = { ...silentLogger, info: note, warn: note, error: note, with: () => log };
  try {
    await run({
      server,
      said,
      registry: (options = {}) => {
        const made = createKubernetesRegistry({ apiUrl: server.url, namespace: 'shop', runtime, log, ...options });
        registries.push(made);
        return made;
      },
      follow: (registry, service = 'orders') => {
        const told: (readonly Instance[])[] = [];
        registry.watch(service, (instances) => void told.push(instances));
        return { told, now: () => told.at(-1)?.map(say).join(' ') };
      },
    });
  } finally {
    await Promise.all(registries.map((one) => one.close()));
    await server.close();
  }
}
