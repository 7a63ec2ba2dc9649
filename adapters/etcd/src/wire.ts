import type { Conditions, Instance, Registration } from '@souk/discovery';

// How an instance looks in etcd: a key `<prefix><service>/<id>`, and JSON. Part of the wire: other programs read and write it.

/** Where the instances of a service are. */
export const servicePrefix = (prefix: string, service: string): string => `${prefix}${encodeURIComponent(service)}/`;

export const instanceKey = (prefix: string, { service, id }: Pick<Registration, 'service' | 'id'>): string =>
  `${servicePrefix(prefix, service)}${encodeURIComponent(id)}`;

/** The same instance gives the same text, so that equal text means that nothing is to be written. */
export function toValue(registration: Registration, conditions: Conditions): string {
  const { id, service, address, port, protocol, version, zone, weight, tags, incarnation } = registration;
  const meta = Object.fromEntries(Object.entries(registration.meta).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { ready, serving, terminating } = conditions;
  const fields = { id, service, address, port, protocol, version, zone, weight, tags, meta, incarnation };
  return JSON.stringify({ ...fields, ready, serving, terminating });
}

/** Says what is wrong, for the log. */
export interface Nonsense {
  readonly nonsense: string;
}

/**
 * Reads what anybody may have written. Address and port must be there; what else is missing takes the value of an instance that is up.
 *
 * @param key The whole key: it says what service and instance this is.
 */
export function toInstance(prefix: string, key: string, value: string): Instance | Nonsense {
  const names = readKey(prefix, key);
  if (names === undefined) return { nonsense: 'the key is not <prefix><service>/<id>' };
  let found: unknown;
  try {
    found = JSON.parse(value);
  } catch {
    return { nonsense: 'the value is no JSON' };
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    return { nonsense: 'the value is no object' };
  const fields = new Map(Object.entries(found));
  const problem = Object.entries(rules).find(([name, rule]) => {
    const field = fields.get(name);
    return field === undefined ? required.has(name) : !rule(field);
  });
  if (problem !== undefined) return { nonsense: `field ${problem[0]} is missing or makes no sense` };
  for (const [name, wanted] of Object.entries(names)) {
    if ((fields.get(name) ?? wanted) !== wanted) return { nonsense: `field ${name} is not what the key says` };
  }
  const get = <T>(name: string, otherwise: T): T => (fields.get(name) as T | undefined) ?? otherwise;
  const terminating = get('terminating', false);
  return {
    ...names,
    address: get('address', ''),
    port: get('port', 0),
    protocol: get('protocol', 'http'),
    version: get('version', ''),
    zone: get('zone', ''),
    weight: get('weight', 1),
    tags: get('tags', []),
    meta: get('meta', {}),
    incarnation: get('incarnation', ''),
    ready: get('ready', true) && !terminating,
    serving: get('serving', true),
    terminating,
  };
}

/** The incarnation in a value; undefined when it is nonsense. */
export function incarnationIn(value: string): string | undefined {
  try {
    const found = JSON.parse(value)?.incarnation;
    return typeof found === 'string' ? found : undefined;
  } catch {
    return undefined;
  }
}

function readKey(prefix: string, key: string): { service: string; id: string } | undefined {
  const parts = key.startsWith(prefix) ? key.slice(prefix.length).split('/') : [];
  const [service = '', id = ''] = parts.map(decode);
  return parts.length === 2 && service !== '' && id !== '' ? { service, id } : undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

type Rule = (value: unknown) => boolean;

const isText: Rule = (value) => typeof value === 'string';
const isFlag: Rule = (value) => typeof value === 'boolean';
const isWhole =
  (min: number, max: number): Rule =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;

const required = new Set(['address', 'port']);

const rules: Readonly<Record<string, Rule>> = {
  id: isText,
  service: isText,
  address: (value) => typeof value === 'string' && /^[^\s/@?#]+$/.test(value),
  port: isWhole(1, 65_535),
  protocol: (value) => value === 'http' || value === 'https',
  version: isText,
  zone: isText,
  weight: isWhole(0, 65_535),
  tags: (value) => Array.isArray(value) && value.every(isText),
  meta: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText),
  incarnation: isText,
  ready: isFlag,
  serving: isFlag,
  terminating: isFlag,
};
