import type { Conditions, Instance, Registration } from './instance.ts';

/** In the order of their ids, so that the same set always looks the same. */
export const sorted = (instances: Iterable<Instance>): readonly Instance[] =>
  Object.freeze([...instances].sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0)));

/** True when both say the same of the same instances. Both are sorted. */
export const sameInstances = (one: readonly Instance[], other: readonly Instance[]): boolean =>
  one === other || (one.length === other.length && one.every((instance, at) => sameInstance(instance, other[at])));

function sameInstance(one: Instance, other: Instance | undefined): boolean {
  if (one === other) return true;
  return (
    other !== undefined &&
    one.id === other.id &&
    one.service === other.service &&
    one.address === other.address &&
    one.port === other.port &&
    one.protocol === other.protocol &&
    one.version === other.version &&
    one.zone === other.zone &&
    one.weight === other.weight &&
    one.incarnation === other.incarnation &&
    one.ready === other.ready &&
    one.serving === other.serving &&
    one.terminating === other.terminating &&
    one.tags.length === other.tags.length &&
    one.tags.every((tag, at) => tag === other.tags[at]) &&
    sameMeta(one.meta, other.meta)
  );
}

function sameMeta(one: Instance['meta'], other: Instance['meta']): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

/** What a process said of itself and what it can do, frozen. */
export const toInstance = (registration: Registration, { ready, serving, terminating }: Conditions): Instance =>
  Object.freeze({
    id: registration.id,
    service: registration.service,
    address: registration.address,
    port: registration.port,
    protocol: registration.protocol,
    version: registration.version,
    zone: registration.zone,
    weight: registration.weight,
    tags: Object.freeze([...registration.tags]),
    meta: Object.freeze({ ...registration.meta }),
    incarnation: registration.incarnation,
    ready,
    serving,
    terminating,
  });
