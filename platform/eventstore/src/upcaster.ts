import { eventStoreErrors } from './errors.ts';
import type { StoredEvent } from './event.ts';

/** What an older event is today. */
export interface Upcasted {
  /** @default the type it had */
  readonly type?: string;
  /** Of the other type, when `type` is one. @default 1 */
  readonly schemaVersion?: number;
  readonly data: unknown;
}

/**
 * Makes data of schema version n what it would be in n + 1: one event, several, or none when it says nothing any more. Pure and
 * synchronous: the same event gives the same result for ever.
 */
export type Upcaster = (data: unknown, event: StoredEvent) => Upcasted | readonly Upcasted[];

/** Per type, the steps from version 1 to 2, 2 to 3 and so on: `{ OrderPlaced: [addCurrency, splitLines] }`. */
export type Upcasters = Readonly<Record<string, readonly Upcaster[]>>;

export interface UpcasterChain {
  /** The version in which events of a type are written today. */
  versionOf(type: string): number;
  /**
   * Events as they are today. Those of one recorded event have its id, version and position: handle them together.
   * @throws EVENTSTORE_SCHEMA_TOO_NEW for what a newer version of this program wrote
   */
  apply<TEvent extends StoredEvent>(events: readonly TEvent[]): readonly TEvent[];
}

/** A change of type goes on with the steps of the new type; more than these for one event are a circle. */
const MAX_STEPS = 100;

/**
 * @param current Versions of types that have no upcaster, or none yet: reading beyond them stops. Types that are named nowhere are read in
 * any version.
 * @throws EVENTSTORE_UPCASTERS_INVALID
 */
export function createUpcasters(upcasters: Upcasters, current: Readonly<Record<string, number>> = {}): UpcasterChain {
  const known = new Map<string, number>(Object.entries(current));
  for (const [type, steps] of Object.entries(upcasters)) {
    const last = steps.length + 1;
    if ((known.get(type) ?? last) !== last) {
      const why = `they lead to version ${last}, and ${known.get(type)} is said to be written`;
      throw eventStoreErrors.UPCASTERS_INVALID({ type, why });
    }
    known.set(type, last);
  }

  const upcast = <TEvent extends StoredEvent>(event: TEvent, into: TEvent[], left: number): void => {
    const { type, schemaVersion } = event;
    const newest = known.get(type);
    if (newest !== undefined && schemaVersion > newest) {
      throw eventStoreErrors.SCHEMA_TOO_NEW({ type, found: schemaVersion, known: newest });
    }
    const step = upcasters[type]?.[schemaVersion - 1];
    if (step === undefined) {
      into.push(event);
      return;
    }
    if (left === 0) throw eventStoreErrors.UPCASTERS_INVALID({ type, why: 'they lead round in a circle' });
    const made = step(event.data, event);
    for (const one of Array.isArray(made) ? (made as readonly Upcasted[]) : [made as Upcasted]) {
      const renamed = one.type !== undefined && one.type !== type;
      const next = { ...event, type: one.type ?? type, data: one.data };
      upcast({ ...next, schemaVersion: renamed ? (one.schemaVersion ?? 1) : schemaVersion + 1 }, into, left - 1);
    }
  };

  return {
    versionOf: (type) => known.get(type) ?? 1,
    apply: (events) => {
      // Most are what they are.
      if (!events.some(({ type, schemaVersion }) => known.has(type) && known.get(type) !== schemaVersion))
        return events;
      const today: (typeof events)[number][] = [];
      for (const event of events) upcast(event, today, MAX_STEPS);
      return today;
    },
  };
}
