import type { DescMessage } from '@bufbuild/protobuf';
import type { SoukError } from '@souk/kernel';
import type { AnyService } from './any-service.ts';
import { hostErrors } from './errors.ts';

export interface SplitSafetyInit {
  /** Services of this process. */
  readonly services: readonly AnyService[];
  /** Resolved settings by service name, as the services get them. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /**
   * Every service of the whole system, those of this process included. Without it nobody can say that a callee or an event is missing, and that is
   * not looked at.
   */
  readonly system?: readonly AnyService[];
  /** Events that come from the programs around the services. @default none */
  readonly publishes?: readonly DescMessage[];
}

/** Most problems told in one error. */
const TOLD = 10;

/**
 * Finds what works only while services share a process: settings that are no data, objects that two services hold and one could change,
 * contracts and events without an owner. Looks at declarations and settings; what a function has closed over cannot be seen.
 *
 * @throws the problem, or HOST_SPLIT_UNSAFE with all of them
 */
export function checkSplitSafety(init: SplitSafetyInit): void {
  const problems = splitProblems(init);
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1) throw first;
  const told = problems.slice(0, TOLD).map(({ message }, at) => `(${at + 1}) ${message}`);
  const more = problems.length - told.length;
  if (more > 0) told.push(`and ${more} more`);
  throw hostErrors.SPLIT_UNSAFE({ count: problems.length, problems: told.join('; ') });
}

/** The problems that {@link checkSplitSafety} throws, none when all is well. */
export function splitProblems(init: SplitSafetyInit): readonly SoukError[] {
  const { services, settings = {}, system, publishes = [] } = init;
  return [
    ...sameNames(services),
    ...sameContracts(system ?? services),
    ...(system === undefined ? [] : missing(services, system, publishes)),
    ...services.flatMap(({ name }) => notData(name, settings[name])),
    ...shared(services, settings),
  ];
}

function sameNames(services: readonly AnyService[]): SoukError[] {
  const names = services.map(({ name }) => name);
  const twice = names.filter((name, at) => names.indexOf(name) < at);
  return [...new Set(twice)].map((service) => hostErrors.SERVICE_TWICE({ service }));
}

function sameContracts(system: readonly AnyService[]): SoukError[] {
  const owners = new Map<string, string>();
  return system.flatMap(({ name, serves }) =>
    serves.flatMap(({ typeName }) => {
      const other = owners.get(typeName);
      owners.set(typeName, other ?? name);
      // A service that is declared twice is told of by its name.
      return other === undefined || other === name
        ? []
        : [hostErrors.CONTRACT_TWICE({ service: name, other, contract: typeName })];
    }),
  );
}

function missing(
  services: readonly AnyService[],
  system: readonly AnyService[],
  publishes: readonly DescMessage[],
): SoukError[] {
  const served = new Set(system.flatMap(({ serves }) => serves.map(({ typeName }) => typeName)));
  const told = new Set(
    [...system.flatMap((service) => service.publishes), ...publishes].map(({ typeName }) => typeName),
  );
  return services.flatMap(({ name, calls, consumes }) => [
    ...Object.values(calls)
      .filter(({ typeName }) => !served.has(typeName))
      .map(({ typeName }) => hostErrors.CALLEE_MISSING({ service: name, callee: typeName })),
    ...consumes
      .filter(({ schema }) => !told.has(schema.typeName))
      .map(({ schema }) => hostErrors.EVENT_UNTOLD({ service: name, event: schema.typeName })),
  ]);
}

/** What another process cannot be given. Names the setting and never its value. */
function notData(path: string, value: unknown, above: ReadonlySet<object> = new Set()): SoukError[] {
  const what = strangeness(value);
  if (what !== undefined) return [hostErrors.SETTING_NOT_DATA({ setting: path, what })];
  if (typeof value !== 'object' || value === null || above.has(value)) return [];
  const around = new Set([...above, value]);
  return membersOf(value).flatMap(({ name, value: member, isComputed }) =>
    isComputed
      ? [hostErrors.SETTING_NOT_DATA({ setting: `${path}${name}`, what: 'computed by a getter or a setter' })]
      : notData(`${path}${name}`, member, around),
  );
}

/** What is wrong with a value, apart from its members. */
function strangeness(value: unknown): string | undefined {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value !== 'object' || value === null) return undefined;
  if (ArrayBuffer.isView(value) ? isSharedMemory(value.buffer) : isSharedMemory(value))
    return 'memory shared by threads';
  if (Array.isArray(value) || ArrayBuffer.isView(value) || COPIED.some((kind) => value instanceof kind))
    return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return undefined;
  if (value instanceof Promise) return 'a promise';
  return `an object of class ${value.constructor?.name || 'without a name'}`;
}

/** These arrive as they are when they are copied into another process. */
const COPIED: readonly (new () => object)[] = [Date, Map, Set, ArrayBuffer as unknown as new () => object];

const isSharedMemory = (value: unknown): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && value instanceof SharedArrayBuffer;

const OF_EVERY_FUNCTION: readonly (string | symbol)[] = ['length', 'name', 'prototype', 'arguments', 'caller'];

interface Member {
  /** As it is written behind the object: `.retry`, `[3]`. */
  readonly name: string;
  readonly value: unknown;
  readonly isComputed: boolean;
}

/** Own members and those of a Map or Set; no getter is called. */
function membersOf(value: object): Member[] {
  const own = ArrayBuffer.isView(value)
    ? []
    : Reflect.ownKeys(value)
        .filter((key) => typeof value !== 'function' || !OF_EVERY_FUNCTION.includes(key))
        .flatMap((key): Member[] => {
          const property = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
          const isComputed = property.get !== undefined || property.set !== undefined;
          return [{ name: written(key), value: property.value, isComputed }];
        });
  const inside: readonly unknown[] = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : [];
  return [...own, ...inside.map((member, at) => ({ name: `<${at}>`, value: member, isComputed: false }))];
}

const written = (key: string | symbol): string =>
  typeof key === 'symbol' ? `[${String(key)}]` : /^\d+$/.test(key) ? `[${key}]` : `.${key}`;

interface Holder {
  readonly service: string;
  readonly path: string;
}

/** Objects that can be changed and are within reach of two services. */
function shared(services: readonly AnyService[], settings: Readonly<Record<string, unknown>>): SoukError[] {
  const holders = new Map<object, Holder>();
  const problems: SoukError[] = [];
  for (const service of services) {
    const seen = new Set<object>();
    const visit = (value: unknown, path: string): void => {
      if (!isObject(value) || seen.has(value) || isDescriptor(value)) return;
      seen.add(value);
      const other = holders.get(value);
      if (other !== undefined && other.service !== service.name && !isUnchangeable(value)) {
        problems.push(hostErrors.SHARED_OBJECT({ first: other.path, second: path }));
        // What is in it is shared along with it.
        return;
      }
      if (other === undefined) holders.set(value, { service: service.name, path });
      for (const member of membersOf(value)) if (!member.isComputed) visit(member.value, `${path}${member.name}`);
    };
    visit(settings[service.name], `settings ${service.name}`);
    // Migrations are told apart by checksum before they run, and tables of the platform are many services' in the same words.
    const { migrations: _, ...declared } = service;
    for (const [name, value] of Object.entries(declared)) visit(value, `service ${service.name}: ${name}`);
  }
  return problems;
}

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

/** A contract: the same for everybody, and made before any service is. */
const isDescriptor = (value: object): boolean => 'kind' in value && 'proto' in value && 'file' in value;

/** Its members may still be changed, and are looked at one by one. */
function isUnchangeable(value: object): boolean {
  if (typeof value === 'function') return true;
  if (value instanceof Map || value instanceof Set || value instanceof Date || value instanceof Promise) return false;
  if (value instanceof WeakMap || value instanceof WeakSet || value instanceof RegExp)
    return value instanceof RegExp && !value.global && !value.sticky;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || isSharedMemory(value)) return isEmpty(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === Object.prototype || Array.isArray(value);
  // A frozen object of a class may keep what changes in private fields.
  return Object.isFrozen(value) && isPlain;
}

const isEmpty = (value: object): boolean => (value as { readonly byteLength?: number }).byteLength === 0;
