import { type Conditions, type Instance, type Registration, toInstance, UP } from '@souk/discovery';

/** What the answer to `/v1/health/service/:name` holds, as far as it is read. */
interface Entry {
  readonly Node: { readonly Address: string };
  readonly Service: {
    readonly ID: string;
    readonly Service: string;
    readonly Address: string;
    readonly Port: number;
    readonly Tags: readonly string[];
    readonly Meta: Readonly<Record<string, string>>;
    readonly Weights: { readonly Passing: number; readonly Warning: number };
    readonly CreateIndex: number;
  };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: string }[];
}

/** In `Meta`: what Consul has no member for. */
const OURS = 'souk-';
const PROTOCOL = 'souk-protocol';
const VERSION = 'souk-version';
const ZONE = 'souk-zone';
const WEIGHT = 'souk-weight';
const INCARNATION = 'souk-incarnation';
const CONDITIONS = 'souk-conditions';

const NAMES = ['ready', 'serving', 'terminating'] as const;

/** Of each run its own: the heartbeat of an earlier run does not speak for a later one. */
export const checkIdOf = ({ id, incarnation }: Registration): string => `souk:${id}:${incarnation}`;

export interface Times {
  readonly ttlMs: number;
  readonly deregisterAfterMs: number;
}

/**
 * The body of `PUT /v1/agent/service/register`.
 *
 * @param alive Whether the check passes from the start.
 */
export function toBody(registration: Registration, conditions: Conditions, alive: boolean, times: Times): object {
  const { id, service, address, port, tags, meta, weight } = registration;
  return {
    ID: id,
    Name: service,
    Address: address,
    Port: port,
    Tags: tags,
    Meta: {
      ...meta,
      [PROTOCOL]: registration.protocol,
      [VERSION]: registration.version,
      [ZONE]: registration.zone,
      [INCARNATION]: registration.incarnation,
      [CONDITIONS]: NAMES.filter((name) => conditions[name]).join(' ') || 'none',
      // Consul has no 0: only those who know us let such an instance out.
      ...(weight === 0 && { [WEIGHT]: '0' }),
    },
    Weights: { Passing: Math.max(1, weight), Warning: Math.max(1, weight) },
    Check: {
      CheckID: checkIdOf(registration),
      Name: `Heartbeat of ${id}`,
      TTL: `${times.ttlMs}ms`,
      DeregisterCriticalServiceAfter: `${times.deregisterAfterMs}ms`,
      Status: alive ? 'passing' : 'critical',
    },
  };
}

/** A problem in words, where an answer is not what Consul gives. */
export interface Misread {
  readonly problem: string;
}

/** Who holds an id, by the answer to `/v1/agent/service/:id`. */
export function readHolder(text: string): { readonly incarnation: string } | Misread {
  const found = parse(text);
  if (!isObject(found) || !isObject(found.Meta ?? {})) return { problem: 'want a service' };
  const incarnation = (found.Meta as Record<string, unknown> | undefined)?.[INCARNATION];
  return { incarnation: typeof incarnation === 'string' ? incarnation : '' };
}

/**
 * The instances in an answer of `/v1/health/service/:name`. An id that is there twice, on two nodes, is shown once: the one that lives, of
 * two such the later run. Services without a port cannot be called and are left out.
 */
export function readInstances(text: string): readonly Instance[] | Misread {
  const found = parse(text);
  if (!Array.isArray(found)) return { problem: 'want a list' };
  const best = new Map<string, { readonly instance: Instance; readonly rank: Rank }>();
  for (const [at, value] of found.entries()) {
    const problem = problemOf(value);
    if (problem !== undefined) return { problem: `[${at}]${problem}` };
    const entry = complete(value as Loose);
    const instance = entryToInstance(entry);
    if (instance.address === '' || instance.port === 0) continue;
    const rank: Rank = [isAlive(entry), instance.incarnation, entry.Service.CreateIndex];
    const held = best.get(instance.id);
    if (held === undefined || comesAfter(rank, held.rank)) best.set(instance.id, { instance, rank });
  }
  return [...best.values()].map(({ instance }) => instance);
}

type Rank = readonly [alive: boolean, incarnation: string, createIndex: number];

const comesAfter = (one: Rank, other: Rank): boolean => {
  if (one[0] !== other[0]) return one[0];
  return one[1] === other[1] ? one[2] > other[2] : one[1] > other[1];
};

type Loose = { readonly [K in keyof Entry]?: Partial<Entry[K]> };

/** Members that may be missing or null are filled in. */
const complete = ({ Node, Service, Checks }: Loose): Entry => ({
  Node: { Address: Node?.Address ?? '' },
  Service: {
    ID: Service?.ID ?? '',
    Service: Service?.Service ?? '',
    Address: Service?.Address ?? '',
    Port: Service?.Port ?? 0,
    Tags: Service?.Tags ?? [],
    Meta: Service?.Meta ?? {},
    Weights: Service?.Weights ?? { Passing: 1, Warning: 1 },
    CreateIndex: Service?.CreateIndex ?? 0,
  },
  Checks: (Checks as Entry['Checks'] | null | undefined) ?? [],
});

function problemOf(value: unknown): string | undefined {
  if (!isObject(value)) return ': want an object';
  const { Node = {}, Service, Checks } = value;
  if (!isObject(Node) || !isTextOrNothing(Node.Address)) return '.Node.Address: want text';
  if (!isObject(Service)) return '.Service: want an object';
  for (const name of ['ID', 'Service']) {
    if (typeof Service[name] !== 'string' || Service[name] === '') return `.Service.${name}: want text`;
  }
  if (!isTextOrNothing(Service.Address)) return '.Service.Address: want text';
  if (!Number.isInteger(Service.Port)) return '.Service.Port: want a whole number';
  if (!isListOf(Service.Tags, (tag) => typeof tag === 'string')) return '.Service.Tags: want a list of texts';
  const meta = Service.Meta ?? {};
  if (!isObject(meta) || !Object.values(meta).every((one) => typeof one === 'string'))
    return '.Service.Meta: want texts';
  const weights = Service.Weights ?? { Passing: 1, Warning: 1 };
  if (!isObject(weights) || !Number.isInteger(weights.Passing) || !Number.isInteger(weights.Warning)) {
    return '.Service.Weights: want whole numbers';
  }
  const isCheck = (one: unknown) => isObject(one) && typeof one.CheckID === 'string' && typeof one.Status === 'string';
  return isListOf(Checks, isCheck) ? undefined : '.Checks: want a list of checks';
}

function entryToInstance(entry: Entry): Instance {
  const { ID, Service, Address, Port, Tags, Meta, Weights } = entry.Service;
  const own = Object.entries(Meta).filter(([key]) => !key.startsWith(OURS));
  const warned = entry.Checks.some(({ Status }) => Status === 'warning');
  return toInstance(
    {
      id: ID,
      service: Service,
      address: Address || entry.Node.Address,
      port: Port,
      protocol: Meta[PROTOCOL] === 'https' ? 'https' : 'http',
      version: Meta[VERSION] ?? '',
      zone: Meta[ZONE] ?? '',
      weight: Meta[WEIGHT] === '0' ? 0 : warned ? Weights.Warning : Weights.Passing,
      tags: Tags,
      meta: Object.fromEntries(own),
      incarnation: Meta[INCARNATION] ?? '',
    },
    conditionsOf(entry),
  );
}

const isMaintenance = (checkId: string): boolean =>
  checkId === '_node_maintenance' || checkId.startsWith('_service_maintenance:');

const isAlive = ({ Checks }: Entry): boolean =>
  Checks.every(({ CheckID, Status }) => Status !== 'critical' || isMaintenance(CheckID));

/** What it says of itself counts while it lives; maintenance takes new work away from it. Strangers say it by their checks alone. */
function conditionsOf(entry: Entry): Conditions {
  const text = entry.Service.Meta[CONDITIONS];
  const said = text === undefined ? UP : readConditions(text);
  if (!isAlive(entry)) return { ready: false, serving: false, terminating: said.terminating };
  const maintained = entry.Checks.some(({ CheckID, Status }) => Status === 'critical' && isMaintenance(CheckID));
  return maintained ? { ...said, ready: false } : said;
}

function readConditions(text: string): Conditions {
  const names = new Set(text.split(' '));
  const terminating = names.has('terminating');
  return { ready: names.has('ready') && !terminating, serving: names.has('serving'), terminating };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTextOrNothing = (value: unknown): boolean => value === undefined || value === null || typeof value === 'string';

const isListOf = (value: unknown, fits: (one: unknown) => boolean): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.every(fits));
