import { type Conditions, DRAINING, type Instance, type Registration, STARTING, UP } from './instance.ts';
import { toInstance } from './instance-set.ts';
import { conditionsProblem, registrationProblem } from './registration-rules.ts';

/** What was found where JSON says something else than an instance. */
export interface Misread {
  /** Place and reason: `orders[0].port: want a number, got "80"`. */
  readonly problem: string;
}

export const isMisread = (found: object): found is Misread => 'problem' in found;

const STATES: Readonly<Record<string, Conditions>> = { up: UP, starting: STARTING, draining: DRAINING };

type Kind = 'text' | 'number' | 'boolean' | 'texts' | 'meta';

const MEMBERS: Readonly<Record<string, Kind>> = {
  id: 'text',
  service: 'text',
  address: 'text',
  port: 'number',
  protocol: 'text',
  version: 'text',
  zone: 'text',
  weight: 'number',
  tags: 'texts',
  meta: 'meta',
  incarnation: 'text',
  ready: 'boolean',
  serving: 'boolean',
  terminating: 'boolean',
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const KINDS: Readonly<Record<Kind, { readonly wanted: string; readonly fits: (value: unknown) => boolean }>> = {
  text: { wanted: 'text', fits: (value) => typeof value === 'string' },
  number: { wanted: 'a number', fits: (value) => typeof value === 'number' },
  boolean: { wanted: 'true or false', fits: (value) => typeof value === 'boolean' },
  texts: {
    wanted: 'a list of texts',
    fits: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  },
  meta: {
    wanted: 'an object of texts',
    fits: (value) => isObject(value) && Object.values(value).every((one) => typeof one === 'string'),
  },
};

/**
 * Reads what a person wrote: only `address` and `port` are needed. `state` is `up`, `starting` or `draining`, `up` when left out. Members
 * that nobody knows are a mistake.
 *
 * @param where Said in problems.
 */
export function readDeclared(service: string, value: unknown, where: string): Instance | Misread {
  if (!isObject(value)) return { problem: `${where}: want an object with address and port` };
  const { state = 'up', ...members } = value;
  const conditions = typeof state === 'string' && Object.hasOwn(STATES, state) ? STATES[state] : undefined;
  if (conditions === undefined) {
    return { problem: `${where}.state: want up, starting or draining, got ${JSON.stringify(state)}` };
  }
  for (const name of ['service', 'ready', 'serving', 'terminating', 'incarnation']) {
    if (name in members) return { problem: `${where}.${name}: nobody knows this member` };
  }
  for (const name of ['address', 'port']) if (!(name in members)) return { problem: `${where}.${name}: is missing` };
  const defaults = { protocol: 'http', version: '', zone: '', weight: 1, tags: [], meta: {}, incarnation: '' };
  const id = `${service}-${members.address}:${members.port}`;
  return readInstance({ id, ...defaults, ...members, service, ...conditions }, where);
}

/**
 * Reads what {@link Instance} becomes in JSON.
 *
 * @param where Said in problems.
 */
export function readInstance(value: unknown, where: string): Instance | Misread {
  if (!isObject(value)) return { problem: `${where}: want an object` };
  for (const [name, kind] of Object.entries(MEMBERS)) {
    if (!(name in value)) return { problem: `${where}.${name}: is missing` };
    const { wanted, fits } = KINDS[kind];
    if (!fits(value[name])) return { problem: `${where}.${name}: want ${wanted}, got ${shown(value[name])}` };
  }
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(MEMBERS, name));
  if (unknown !== undefined) return { problem: `${where}.${unknown}: nobody knows this member` };
  if (value.protocol !== 'http' && value.protocol !== 'https') {
    return { problem: `${where}.protocol: want http or https, got ${shown(value.protocol)}` };
  }
  const found = value as unknown as Registration & Conditions;
  const why = registrationProblem(found) ?? conditionsProblem(found);
  return why === undefined ? toInstance(found, found) : { problem: `${where}: ${why}` };
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 80);
