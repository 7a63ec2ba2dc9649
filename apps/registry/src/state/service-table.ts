import type { InstanceEntry } from './catalog.ts';

/** Which instances a service has, whatever node they are on. */
export interface ServiceTable {
  /** Puts `after` in the place of `before`; either may be missing. */
  replace(before: InstanceEntry | undefined, after: InstanceEntry | undefined): void;
  has(service: string): boolean;
  /** In the order of node and id. */
  membersOf(service: string): readonly InstanceEntry[];
  /** The tags of all instances in one text, to compare; undefined for a service without instances. */
  signatureOf(service: string): string | undefined;
  /** Names and tags, sorted. */
  list(): ReadonlyArray<readonly [string, readonly string[]]>;
}

interface Service {
  readonly name: string;
  readonly members: Map<string, InstanceEntry>;
  /** Keys of the members in order; undefined when one has come or gone since. */
  order: readonly string[] | undefined;
  /** How many instances have a tag. */
  readonly tagCounts: Map<string, number>;
  /** Sorted; undefined when one has come or gone since. */
  tags: readonly string[] | undefined;
}

export function createServiceTable(): ServiceTable {
  const services = new Map<string, Service>();

  const countTags = (service: Service, tags: readonly string[], by: 1 | -1): void => {
    for (const tag of new Set(tags)) {
      const count = (service.tagCounts.get(tag) ?? 0) + by;
      if (count === 0) service.tagCounts.delete(tag);
      else service.tagCounts.set(tag, count);
      if (count === 0 || (count === 1 && by === 1)) service.tags = undefined;
    }
  };

  const add = (instance: InstanceEntry): void => {
    const id = instance.service.toLowerCase();
    const service: Service = services.get(id) ?? {
      ...{ name: instance.service, members: new Map(), order: undefined, tagCounts: new Map(), tags: undefined },
    };
    services.set(id, service);
    const key = keyOf(instance);
    if (!service.members.has(key)) service.order = undefined;
    service.members.set(key, instance);
    countTags(service, instance.tags, 1);
  };

  const remove = (instance: InstanceEntry): void => {
    const id = instance.service.toLowerCase();
    const service = services.get(id);
    if (service === undefined || !service.members.delete(keyOf(instance))) return;
    service.order = undefined;
    countTags(service, instance.tags, -1);
    if (service.members.size === 0) services.delete(id);
  };

  const tagsOf = (service: Service): readonly string[] => {
    service.tags ??= [...service.tagCounts.keys()].sort();
    return service.tags;
  };

  return {
    replace: (before, after) => {
      const service = before && services.get(before.service.toLowerCase());
      // In its place: thousands of others keep their order.
      const stays = service !== undefined && after?.service.toLowerCase() === before?.service.toLowerCase();
      if (stays && before !== undefined) countTags(service, before.tags, -1);
      else if (before !== undefined) remove(before);
      if (after !== undefined) add(after);
    },
    has: (service) => services.has(service.toLowerCase()),
    membersOf: (name) => {
      const service = services.get(name.toLowerCase());
      if (service === undefined) return [];
      service.order ??= [...service.members.keys()].sort();
      return service.order.map((key) => service.members.get(key) as InstanceEntry);
    },
    signatureOf: (name) => {
      const service = services.get(name.toLowerCase());
      return service && tagsOf(service).join('\n');
    },
    list: () =>
      [...services.values()]
        .map((service) => [service.name, tagsOf(service)] as const)
        .sort(([one], [other]) => (one < other ? -1 : 1)),
  };
}

const keyOf = ({ node, id }: InstanceEntry): string => `${node.toLowerCase()}\n${id}`;
