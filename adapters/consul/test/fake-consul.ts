// As much of a Consul agent as a registry driver sees, in memory and on any clock.

import type { Runtime, Timer } from '@souk/kernel';
import type { Answer, Call, HttpClient } from '../src/http-client.ts';

interface Check {
  readonly CheckID: string;
  Status: string;
  readonly ttlMs: number | undefined;
  readonly reapMs: number;
  expiry: Timer | undefined;
  reaper: Timer | undefined;
}

interface Service {
  readonly body: Record<string, unknown> & { readonly ID: string; readonly Name: string };
  readonly checks: Map<string, Check>;
  readonly createIndex: number;
}

export interface FakeConsul {
  handle(call: Call): Promise<Answer>;
  /** Restarts it, knowing nothing: its indexes begin anew, and no question that was open is answered. */
  forget(): void;
  /** Calls since the start, `PUT /v1/agent/service/register`. */
  readonly calls: readonly string[];
  /** Ids of services that it has. */
  ids(): string[];
  /** What an operator does. */
  setMaintenance(id: string, on: boolean): void;
}

const milliseconds = (text: unknown): number => {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(String(text)) ?? [];
  return Number(number) * ({ ms: 1, s: 1000, m: 60_000 }[unit ?? 'ms'] ?? 1);
};

export function fakeConsul(runtime: Runtime): FakeConsul {
  const services = new Map<string, Service>();
  const calls: string[] = [];
  const wakers = new Set<() => void>();
  const moved = new Map<string, number>();
  let index = 10;
  let generation = 0;

  const touch = (name: string): void => {
    moved.set(name, ++index);
    for (const wake of [...wakers]) wake();
  };
  const drop = (service: Service): void => {
    for (const check of service.checks.values()) {
      check.expiry?.cancel();
      check.reaper?.cancel();
    }
    services.delete(service.body.ID);
    touch(service.body.Name);
  };
  const setStatus = (service: Service, check: Check, status: string): void => {
    check.expiry?.cancel();
    if (status !== 'critical' && check.ttlMs !== undefined) {
      check.expiry = runtime.timers.after(check.ttlMs, () => setStatus(service, check, 'critical'));
    }
    if (check.Status === status && (status !== 'critical' || check.reaper)) return;
    check.Status = status;
    check.reaper?.cancel();
    check.reaper =
      status === 'critical' && check.reapMs > 0 ? runtime.timers.after(check.reapMs, () => drop(service)) : undefined;
    touch(service.body.Name);
  };
  const setMaintenance = (id: string, on: boolean): boolean => {
    const service = services.get(id);
    if (service === undefined) return false;
    const key = `_service_maintenance:${id}`;
    if (service.checks.has(key) === on) return true;
    const check: Check = {
      CheckID: key,
      Status: 'critical',
      ttlMs: undefined,
      reapMs: 0,
      expiry: undefined,
      reaper: undefined,
    };
    if (on) service.checks.set(key, check);
    else service.checks.delete(key);
    touch(service.body.Name);
    return true;
  };
  const say = (status: number, value: unknown = '', at?: number): Answer => ({
    status,
    text: typeof value === 'string' ? value : JSON.stringify(value),
    index: at === undefined ? undefined : String(at),
    retryAfterMs: undefined,
  });

  const register = ({ body, query = {} }: Call): Answer => {
    const given = body as Service['body'] & { readonly Check: Record<string, unknown> };
    const before = services.get(given.ID);
    const kept = query['replace-existing-checks'] === 'true' ? [] : (before?.checks ?? []);
    for (const [, check] of before?.checks ?? []) check.expiry?.cancel();
    for (const [, check] of before?.checks ?? []) check.reaper?.cancel();
    const service: Service = { body: given, checks: new Map(kept), createIndex: before?.createIndex ?? index + 1 };
    services.set(given.ID, service);
    const check: Check = {
      CheckID: String(given.Check.CheckID),
      Status: 'new',
      ttlMs: milliseconds(given.Check.TTL),
      reapMs: milliseconds(given.Check.DeregisterCriticalServiceAfter),
      expiry: undefined,
      reaper: undefined,
    };
    service.checks.set(check.CheckID, check);
    setStatus(service, check, String(given.Check.Status));
    return say(200);
  };

  const pass = (id: string): Answer => {
    for (const service of services.values()) {
      const check = service.checks.get(id);
      if (check === undefined) continue;
      setStatus(service, check, 'passing');
      return say(200);
    }
    return say(404, `Unknown check ID "${id}". Ensure that the check ID is passed, not the check name.`);
  };

  const health = (name: string): Answer => {
    const entries = [...services.values()]
      .filter(({ body }) => body.Name === name)
      .map(({ body, checks, createIndex }) => ({
        Node: { Node: 'fake', Address: '10.9.9.9' },
        Service: { ...body, Service: body.Name, CreateIndex: createIndex, Check: undefined },
        Checks: [...checks.values()].map(({ CheckID, Status }) => ({ CheckID, Status })),
      }));
    return say(200, entries, moved.get(name) ?? 1);
  };

  const hold = async (name: string, { query = {}, signal }: Call): Promise<Answer> => {
    const since = Number(query.index ?? 0);
    if (since > 0 && (moved.get(name) ?? 1) <= since) {
      const mine = generation;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const wake = () => {
        if (mine !== generation) reject(new Error('socket hang up'));
        else if ((moved.get(name) ?? 1) > since) resolve();
      };
      wakers.add(wake);
      const timer = runtime.timers.after(milliseconds(query.wait), resolve);
      signal?.addEventListener('abort', () => resolve(), { once: true });
      await promise.finally(() => {
        wakers.delete(wake);
        timer.cancel();
      });
    }
    return health(name);
  };

  const handle = async (call: Call): Promise<Answer> => {
    calls.push(`${call.method} ${call.path}`);
    const [, , area, kind, action, raw] = call.path.split('/');
    const last = decodeURIComponent(raw ?? action ?? '');
    if (area === 'health') return hold(decodeURIComponent(action ?? ''), call);
    if (call.path === '/v1/agent/service/register') return register(call);
    if (kind === 'check' && action === 'pass') return pass(last);
    const service = services.get(last);
    if (service === undefined) return say(404, `unknown service ID: ${last}`);
    if (action === 'deregister') drop(service);
    else if (action === 'maintenance') setMaintenance(last, call.query?.enable === 'true');
    else return say(200, { ...service.body, Service: service.body.Name });
    return say(200);
  };

  return {
    handle,
    calls,
    ids: () => [...services.keys()],
    setMaintenance,
    forget: () => {
      for (const service of [...services.values()]) drop(service);
      moved.clear();
      index = 1;
      generation++;
      for (const wake of [...wakers]) wake();
    },
  };
}

/** A client that needs no network, and can lose it. */
export function directClient(consul: FakeConsul, isCut: (client: HttpClient) => boolean): HttpClient & { cut(): void } {
  const open = new Set<() => void>();
  const client = {
    server: 'fake:8500',
    send: async (call: Call): Promise<Answer> => {
      if (isCut(client)) throw new Error('connection refused');
      if (call.signal?.aborted) throw new Error('aborted');
      const { promise, reject } = Promise.withResolvers<never>();
      const fail = () => reject(new Error('connection reset'));
      open.add(fail);
      try {
        return await Promise.race([consul.handle(call), promise]);
      } finally {
        open.delete(fail);
      }
    },
    cut: () => {
      for (const fail of [...open]) fail();
    },
    close: () => {},
  };
  return client;
}
