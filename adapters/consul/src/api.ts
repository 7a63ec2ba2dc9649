import type { Conditions, Instance, Registration } from '@souk/discovery';
import { consulErrors } from './errors.ts';
import type { Answer, Call, HttpClient } from './http-client.ts';
import { checkIdOf, type Misread, readHolder, readInstances, type Times, toBody } from './wire.ts';

/** A question that the registry holds until something changes. */
export interface Question {
  readonly service: string;
  readonly datacenter: string | undefined;
  /** Where we are; 0: answer at once. */
  readonly index: number;
  readonly waitMs: number;
  readonly requestMs: number;
  readonly signal: AbortSignal;
}

/** The part of the HTTP API of Consul that is used. All calls throw CONSUL_UNREACHABLE, CONSUL_REFUSED or CONSUL_UNREADABLE. */
export interface ConsulApi {
  readonly server: string;
  /** @returns the index to ask with next; 0 when the answer has none that can be used */
  instances(question: Question): Promise<{ readonly instances: readonly Instance[]; readonly index: number }>;
  /** @returns `stale` when the registry knows a later run, `refused` with a reason when no repeat can help */
  register(
    registration: Registration,
    conditions: Conditions,
    options: { readonly alive: boolean; readonly replace: boolean; readonly again: boolean },
  ): Promise<'taken' | 'stale' | { readonly refused: string }>;
  /** @returns `unknown` when the registry has no such check: it has forgotten, or somebody else has taken the id */
  pass(registration: Registration): Promise<'taken' | 'unknown'>;
  maintain(registration: Registration, reason: string | undefined): Promise<void>;
  /** The incarnation under the id; undefined when there is none. */
  holder(registration: Registration): Promise<string | undefined>;
  deregister(registration: Registration): Promise<void>;
}

const MAX_INDEX = Number.MAX_SAFE_INTEGER;
/** Statuses of a registration that is wrong in itself, or that this token may not make. */
const HOPELESS = new Set([400, 401, 403, 413, 422]);

export function createConsulApi(client: HttpClient, times: Times): ConsulApi {
  const { server } = client;

  const refused = (what: string, { status, text, retryAfterMs }: Answer) =>
    consulErrors.REFUSED(
      { server, what, status, why: firstLine(text) },
      retryAfterMs === undefined ? {} : { afterMs: retryAfterMs },
    );
  const read = <T extends object>(what: string, found: T | Misread): T => {
    if ('problem' in found) throw consulErrors.UNREADABLE({ server, what, why: (found as Misread).problem });
    return found as T;
  };
  const ask = async (call: Call, what: string): Promise<Answer> => {
    const answer = await client.send(call);
    // A proxy or a portal that says OK to everything.
    if (answer.status === 200 && answer.text.trimStart().startsWith('<')) {
      throw consulErrors.UNREADABLE({ server, what, why: 'a page for people' });
    }
    return answer;
  };
  const expect = async (call: Call, what: string): Promise<Answer> => {
    const answer = await ask(call, what);
    if (answer.status !== 200) throw refused(what, answer);
    return answer;
  };

  return {
    server,
    instances: async ({ service, datacenter, index, waitMs, requestMs, signal }) => {
      const blocks = index > 0;
      const what = `the question for ${service}`;
      const answer = await expect(
        {
          method: 'GET',
          path: `/v1/health/service/${encodeURIComponent(service)}`,
          query: { dc: datacenter, ...(blocks && { index: `${index}`, wait: `${waitMs}ms` }) },
          // The registry adds up to a sixteenth, so that its answers do not come all at once.
          timeoutMs: blocks ? waitMs + waitMs / 16 + requestMs : requestMs,
          signal,
        },
        what,
      );
      const next = Number(answer.index);
      const usable = Number.isInteger(next) && next > 0 && next <= MAX_INDEX;
      return { instances: read(what, readInstances(answer.text)), index: usable ? next : 0 };
    },
    register: async (registration, conditions, { alive, replace, again }) => {
      const what = `the registration of ${registration.id}`;
      // Consul passes over what it does not know.
      const query = { ...(replace && { 'replace-existing-checks': 'true' }), ...(again && { 'souk-again': 'true' }) };
      const body = toBody(registration, conditions, alive, times);
      const answer = await ask({ method: 'PUT', path: '/v1/agent/service/register', query, body }, what);
      if (answer.status === 200) return 'taken';
      if (answer.status === 409) return 'stale';
      if (HOPELESS.has(answer.status)) return { refused: `${answer.status} ${firstLine(answer.text)}` };
      throw refused(what, answer);
    },
    pass: async (registration) => {
      const path = `/v1/agent/check/pass/${encodeURIComponent(checkIdOf(registration))}`;
      const what = `the heartbeat of ${registration.id}`;
      const answer = await ask({ method: 'PUT', path }, what);
      if (answer.status === 200) return 'taken';
      // Consul says 404 or 500 by its version, and has no code to tell it from other trouble.
      const forgotten = /does not have associated TTL|unknown check/i.test(answer.text);
      if (answer.status === 404 || answer.status === 409 || (answer.status === 500 && forgotten)) return 'unknown';
      throw refused(what, answer);
    },
    maintain: async ({ id }, reason) => {
      const query = { enable: `${reason !== undefined}`, reason };
      const path = `/v1/agent/service/maintenance/${encodeURIComponent(id)}`;
      await expect({ method: 'PUT', path, query }, `maintenance of ${id}`);
    },
    holder: async ({ id }) => {
      const what = `the question for ${id}`;
      const answer = await ask({ method: 'GET', path: `/v1/agent/service/${encodeURIComponent(id)}` }, what);
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw refused(what, answer);
      return read(what, readHolder(answer.text)).incarnation;
    },
    deregister: async ({ id }) => {
      const what = `the good-bye of ${id}`;
      const path = `/v1/agent/service/deregister/${encodeURIComponent(id)}`;
      const answer = await ask({ method: 'PUT', path }, what);
      if (answer.status !== 200 && answer.status !== 404) throw refused(what, answer);
    },
  };
}

/** Enough of a text for a log line. */
const firstLine = (text: string): string => (text.trim().split('\n', 1)[0] || 'nothing').slice(0, 200);
