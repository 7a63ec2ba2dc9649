import { appErrors } from '../errors.ts';

/** A kind of process, and how many of it there are. */
export interface ProcessPlan {
  /** Begins the names of its instances: `orders-1`. */
  readonly name: string;
  /** Services of the shop that share the process. */
  readonly services: readonly string[];
  /** Whether it takes requests from outside. */
  readonly edge: boolean;
  /** Whether it serves operators. */
  readonly operator: boolean;
  readonly instances: number;
  /** Fixed ports of its instances, where somebody needs to know them. Others take any free one. */
  readonly ports: readonly number[];
}

/** Which services share a process, and how many instances of it run. Data, not code: a service cannot tell. */
export interface Topology {
  readonly processes: readonly ProcessPlan[];
}

export const EDGE = 'edge';
export const OPERATOR = 'operator';

const MOST_INSTANCES = 50;
const NAME = /^[a-z][a-z0-9-]{0,39}$/;

const plan = (name: string, services: readonly string[], more: Partial<ProcessPlan> = {}): ProcessPlan => ({
  name,
  services,
  edge: false,
  operator: false,
  instances: 1,
  ports: [],
  ...more,
});

/** A process for each service, one for requests from outside, one for operators. */
export const splitTopology = (services: readonly string[]): Topology => ({
  processes: [
    ...services.map((name) => plan(name, [name])),
    plan(OPERATOR, [], { operator: true }),
    plan(EDGE, [], { edge: true }),
  ],
});

/**
 * Reads a topology from a file's JSON: `{ "processes": { "front": { "edge": true, "instances": 2 }, "money": { "services": ["payments", "orders"] } } }`.
 * Services that no process names share one called `rest`; where no process is the edge or serves operators, one of its own is added.
 *
 * @param services All services there are.
 * @throws APP_TOPOLOGY_INVALID
 */
export function parseTopology(given: unknown, services: readonly string[]): Topology {
  const processes = isObject(given) && isObject(given.processes) ? Object.entries(given.processes) : undefined;
  if (processes === undefined) throw invalid('it needs "processes": an object with an entry for each kind of process');
  checkKeys('the topology', given as Record<string, unknown>, ['processes']);
  const plans = processes.map(([name, value]) => parsePlan(name, value, services));
  const placed = plans.flatMap((one) => one.services);
  const twice = placed.find((service, index) => placed.indexOf(service) !== index);
  if (twice !== undefined)
    throw invalid(`service ${twice} is in two processes: give one of them more instances instead`);
  const edges = plans.filter(({ edge }) => edge);
  if (edges.length > 1)
    throw invalid(`${edges.map(({ name }) => name).join(' and ')} are both the edge: only one may be`);
  const rest = services.filter((service) => !placed.includes(service));
  return {
    processes: [
      ...plans,
      ...(rest.length > 0 ? [plan('rest', rest)] : []),
      ...(plans.some(({ operator }) => operator) ? [] : [plan(OPERATOR, [], { operator: true })]),
      ...(edges.length > 0 ? [] : [plan(EDGE, [], { edge: true })]),
    ],
  };
}

function parsePlan(name: string, value: unknown, known: readonly string[]): ProcessPlan {
  if (!NAME.test(name)) throw invalid(`'${name}' is no name for a process: lower-case letters, digits and dashes`);
  if (!isObject(value)) throw invalid(`process ${name} must be an object`);
  checkKeys(`process ${name}`, value, ['services', 'edge', 'operator', 'instances', 'ports']);
  const { services = [], edge = false, operator = false, instances = 1, ports = [] } = value;
  if (!isListOf(services, 'string')) throw invalid(`"services" of ${name} must be a list of names`);
  const unknown = services.find((service) => !known.includes(service));
  if (unknown !== undefined) throw invalid(`${name} has a service '${unknown}'; there are ${known.join(', ')}`);
  if (typeof edge !== 'boolean' || typeof operator !== 'boolean')
    throw invalid(`"edge" and "operator" of ${name} must be true or false`);
  checkInstances(name, instances);
  if (!isListOf(ports, 'number') || ports.some((port) => !Number.isInteger(port) || port < 1 || port > 65_535))
    throw invalid(`"ports" of ${name} must be a list of ports`);
  if (edge && services.length > 0)
    throw invalid(`${name} is the edge and has services: what faces the world should not hold their data`);
  if (services.length === 0 && !edge && !operator) throw invalid(`process ${name} has nothing to do`);
  return plan(name, services, { edge, operator, instances: instances as number, ports });
}

/**
 * Sets numbers of instances by name of the process or of one of its services: `orders=2,edge=3`.
 *
 * @throws APP_TOPOLOGY_INVALID
 */
export function withInstances(topology: Topology, text: string): Topology {
  let { processes } = topology;
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const [, name, digits] = /^\s*([\w-]+)\s*=\s*(\d+)\s*$/.exec(part) ?? [];
    if (name === undefined) throw invalid(`'${part.trim()}' is no number of instances: orders=2`);
    const found = processes.find((one) => one.name === name) ?? processes.find((one) => one.services.includes(name));
    if (found === undefined)
      throw invalid(`there is no process ${name}; there are ${processes.map((one) => one.name).join(', ')}`);
    const instances = Number(digits);
    checkInstances(name, instances);
    processes = processes.map((one) => (one === found ? { ...one, instances } : one));
  }
  return { processes };
}

function checkInstances(name: string, instances: unknown): void {
  const good = Number.isInteger(instances) && (instances as number) >= 1 && (instances as number) <= MOST_INSTANCES;
  if (!good) throw invalid(`${name} needs a number of instances from 1 to ${MOST_INSTANCES}`);
}

function checkKeys(where: string, value: Readonly<Record<string, unknown>>, allowed: readonly string[]): void {
  const unknown = Object.keys(value).find((key) => !allowed.includes(key));
  if (unknown !== undefined) throw invalid(`${where} has '${unknown}'; it may have ${allowed.join(', ')}`);
}

const invalid = (why: string) => appErrors.TOPOLOGY_INVALID({ why });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isListOf = <T extends 'string' | 'number'>(
  value: unknown,
  type: T,
): value is (T extends 'string' ? string : number)[] =>
  Array.isArray(value) && value.every((one) => typeof one === type);
