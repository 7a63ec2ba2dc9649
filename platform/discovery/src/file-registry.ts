import { readFile } from 'node:fs/promises';
import { fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import { discoveryErrors } from './errors.ts';
import type { Instance } from './instance.ts';
import { isMisread, readDeclared } from './instance-json.ts';
import { sorted, toInstance } from './instance-set.ts';
import { checkPositive } from './options.ts';
import { checkConditions, checkRegistration } from './registration-rules.ts';
import type { Registry, RegistryHealth } from './registry.ts';
import { createServiceWatches } from './service-watches.ts';

export interface FileRegistryOptions {
  readonly runtime: Runtime;
  /** JSON: `{ "orders": [{ "address": "10.0.0.7", "port": 8080 }] }`. */
  readonly path: string;
  readonly log: Logger;
  /** How often it is read again, milliseconds. @default 1000 */
  readonly pollMs?: number;
  /** Reads the file. @default from disk, as UTF-8 */
  readonly read?: (path: string) => Promise<string>;
}

/** Beyond it the file is something else. */
const MAX_BYTES = 8 * 2 ** 20;

type Services = ReadonlyMap<string, readonly Instance[]>;

/**
 * Services by a list that somebody keeps. It is read again when it changes. One that is broken or missing changes nothing: the last good one
 * stays, and `health()` and the log say what is wrong and where. What this process registers itself is seen by this process only, in place
 * of what the file says of the same id.
 *
 * @throws DISCOVERY_INVALID_OPTION
 */
export function createFileRegistry(options: FileRegistryOptions): Registry {
  const { runtime, path, log, pollMs = 1000, read = (file) => readFile(file, 'utf8') } = options;
  checkPositive({ pollMs });
  const own = new Map<string, Instance>();
  const watches = createServiceWatches({ log, begin: (service) => tell(service) });
  let state: RegistryHealth['state'] = 'connecting';
  let sinceMs = runtime.clock.monotonicMs();
  let lastError: string | undefined;
  let lastText: string | undefined;
  let listed: Services | undefined;
  let reading: Promise<void> | undefined;

  const turn = (next: RegistryHealth['state']): void => {
    if (state === next || state === 'closed') return;
    state = next;
    sinceMs = runtime.clock.monotonicMs();
  };

  const tell = (service: string): void => {
    // What this process knows of itself is not all: nothing is told before the list is there.
    if (listed === undefined) return;
    const mine = [...own.values()].filter((instance) => instance.service === service);
    const ids = new Set(mine.map(({ id }) => id));
    watches.tell(service, [...(listed.get(service) ?? []).filter(({ id }) => !ids.has(id)), ...mine]);
  };

  const load = async (): Promise<void> => {
    try {
      const text = await read(path);
      if (state === 'closed' || (text === lastText && lastError === undefined)) return;
      listed = parseServices(path, text);
      lastText = text;
      lastError = undefined;
      turn('connected');
      log.info('the list of instances has been read', { path, services: listed.size });
      for (const service of watches.services()) tell(service);
    } catch (thrown) {
      if (state === 'closed') return;
      const why = explain(path, thrown);
      turn('connecting');
      if (why === lastError) return;
      lastError = why;
      log.error('the list of instances cannot be used: the last good one stays', {
        path,
        err: fromUnknown(thrown),
        why,
      });
    }
  };
  /** One at a time: a slow disk must not bring an old text after a new one. */
  const poll = (): void => {
    reading ??= load().finally(() => {
      reading = undefined;
    });
  };
  poll();
  const timer = runtime.timers.every(pollMs, poll);

  return {
    name: 'file',
    register: async (registration, conditions) => {
      if (state === 'closed') throw discoveryErrors.CLOSED({ registry: 'file' });
      checkRegistration(registration, conditions);
      const { id, service, incarnation } = registration;
      const key = `${service}/${id}`;
      const isMine = () => own.get(key)?.incarnation === incarnation;
      const held = own.get(key);
      if (held !== undefined && held.incarnation > incarnation) {
        throw discoveryErrors.REGISTRATION_REFUSED({ id, service, why: 'a later run of it is registered' });
      }
      own.set(key, toInstance(registration, conditions));
      tell(service);
      return {
        update: async (next) => {
          if (!isMine()) return;
          checkConditions(registration, next);
          own.set(key, toInstance(registration, next));
          tell(service);
        },
        deregister: async () => {
          if (!isMine()) return;
          own.delete(key);
          tell(service);
        },
      };
    },
    watch: (service, listener) => watches.add(service, listener),
    health: () => ({ state, sinceMs: runtime.clock.monotonicMs() - sinceMs, lastError }),
    close: async () => {
      turn('closed');
      timer.cancel();
      watches.close();
      own.clear();
      await reading;
    },
  };
}

/** @throws DISCOVERY_UNREADABLE_FILE */
function parseServices(path: string, text: string): Services {
  const refuse = (why: string, cause?: unknown) => discoveryErrors.UNREADABLE_FILE({ path, why }, { cause });
  if (text.length > MAX_BYTES) throw refuse(`has ${text.length} characters, ${MAX_BYTES} is the most`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw refuse(`is not JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw refuse('want an object with a list of instances for each service');
  }
  const services = new Map<string, readonly Instance[]>();
  for (const [service, list] of Object.entries(parsed)) {
    if (!Array.isArray(list)) throw refuse(`${service}: want a list of instances`);
    const byId = new Map<string, Instance>();
    for (const [at, value] of list.entries()) {
      const where = `${service}[${at}]`;
      const instance = readDeclared(service, value, where);
      if (isMisread(instance)) throw refuse(instance.problem);
      if (byId.has(instance.id)) throw refuse(`${where}: there is another ${instance.id}`);
      byId.set(instance.id, instance);
    }
    services.set(service, sorted(byId.values()));
  }
  return services;
}

function explain(path: string, thrown: unknown): string {
  if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return `${path}: there is no such file`;
  return thrown instanceof Error ? thrown.message : String(thrown);
}
