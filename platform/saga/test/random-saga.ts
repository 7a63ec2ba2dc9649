import type { Random } from '@souk/kernel';
import type { AnyDefinition, Json, Known, RetryOptions } from '../src/definition.ts';
import { saga } from '../src/index.ts';

/** What a random saga is told at its start: which of its conditions hold. */
export type RandomInput = { readonly flags: number };

export interface Dice {
  chance(probability: number): boolean;
  /** From 0, below `limit`. */
  below(limit: number): number;
  pick<T>(list: readonly T[]): T;
}

export function dice(random: Random): Dice {
  const below = (limit: number): number => Math.floor(random.next() * limit);
  return {
    chance: (probability) => random.next() < probability,
    below,
    pick: <T>(list: readonly T[]): T => list[below(list.length)] as T,
  };
}

/** The builder without the types that only an author needs. */
interface Builder {
  deadline(after: string): Builder;
  compensation(policy: object): Builder;
  step(name: string, options: object): Builder;
  child(name: string, options: object): Builder;
  waitFor(name: string, options: object): Builder;
  sleep(name: string, until: unknown): Builder;
  parallel(declare: (group: Builder) => Builder): Builder;
  onCompensated(run: () => Promise<void>): Builder;
  define(): AnyDefinition;
}

const nothing = async (): Promise<void> => {};

/**
 * A saga of a random shape: kinds, parallel groups, conditions, waits, sleeps, children.
 *
 * @returns the saga and how deep its signals lie: the names that it may wait for
 */
export function randomSaga(random: Dice): AnyDefinition {
  return declare(random, 'root', 0);
}

function declare(random: Dice, name: string, depth: number): AnyDefinition {
  const builder = saga<unknown, RandomInput>(name, 1) as unknown as Builder;
  let next = 0;
  const named = (kind: string): string => `${kind}-${next++}`;
  builder.deadline(random.pick(['5s', '20s', '15m']));
  builder.compensation({ order: 'reverse', onUndoFailure: random.pick(['stop', 'continue']) });
  const retry = (): RetryOptions => ({ attempts: 1 + random.below(4), firstDelayMs: 100, maxDelayMs: 1_500 });
  const maybe = (): object => {
    if (!random.chance(0.2)) return {};
    const bit = 1 << random.below(4);
    return { when: ({ input }: Known<RandomInput, unknown>) => (input.flags & bit) !== 0 };
  };
  const undoRetry = (): RetryOptions => ({ attempts: 30, firstDelayMs: 100, maxDelayMs: 1_500 });

  const before = (into: Builder, alone: boolean): void => {
    const what = random.below(20);
    if (what < 11 || (what < 18 && !alone && depth > 0)) {
      into.step(named('c'), {
        kind: 'compensatable',
        run: nothing,
        undo: nothing,
        retry: retry(),
        undoRetry: undoRetry(),
        timeoutMs: 2_000,
        ...maybe(),
      });
    } else if (what < 14) {
      const result = random.chance(0.5);
      into.step(named('r'), {
        kind: 'read',
        run: async () => (result ? { seen: 1 } : undefined),
        retry: retry(),
        ...maybe(),
      });
    } else if (what < 16) {
      into.waitFor(named('w'), {
        signal: 'go',
        timeout: '3s',
        onTimeout: random.pick(['turn', 'continue']),
        ...maybe(),
      });
    } else if (what < 18) {
      into.sleep(named('s'), random.pick(['300ms', '2s']));
    } else if (depth === 0) {
      const kind = random.pick(['compensatable', 'read']);
      const child = declare(random, `kid-${next}`, 1);
      into.child(named('k'), {
        kind,
        saga: child,
        input: ({ input }: { input: Json }) => input,
        ...(kind === 'compensatable' && { undo: nothing, undoRetry: undoRetry() }),
        ...maybe(),
      });
    } else {
      into.step(named('c'), {
        kind: 'compensatable',
        run: nothing,
        undo: nothing,
        retry: retry(),
        undoRetry: undoRetry(),
        timeoutMs: 2_000,
      });
    }
  };
  const after = (into: Builder): void => {
    const what = random.below(12);
    if (what < 8 || depth > 0)
      into.step(named('t'), {
        kind: 'retriable',
        run: nothing,
        retry: { firstDelayMs: 100, maxDelayMs: 1_500 },
        timeoutMs: 2_000,
        ...maybe(),
      });
    else if (what < 9) into.waitFor(named('w'), { signal: 'go', timeout: '3s', onTimeout: 'continue' });
    else if (what < 10) into.sleep(named('s'), '1500ms');
    else if (what < 11) into.step(named('r'), { kind: 'read', run: async () => ({ seen: 2 }) });
    else
      into.child(named('k'), {
        kind: 'retriable',
        saga: declare(random, `kid-${next}`, 1),
        input: ({ input }: { input: Json }) => input,
      });
  };
  const groups = (count: number, one: (into: Builder, alone: boolean) => void): void => {
    for (let index = 0; index < count; index++) {
      if (random.chance(0.65)) one(builder, true);
      else {
        const size = 2 + random.below(2);
        builder.parallel((group) => {
          for (let member = 0; member < size; member++) one(group, false);
          return group;
        });
      }
    }
  };

  groups(1 + random.below(depth === 0 ? 3 : 2), before);
  if (random.chance(0.8)) {
    const resolve = random.chance(0.5) && { resolve: async () => 'unknown' };
    builder.step(named('p'), {
      kind: 'pivot',
      run: nothing,
      retry: { ...retry(), attempts: 2 + random.below(6) },
      timeoutMs: 2_000,
      ...resolve,
    });
    groups(random.below(3), (into) => after(into));
  }
  if (random.chance(0.5)) builder.onCompensated(nothing);
  return builder.define();
}
