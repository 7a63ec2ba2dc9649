import assert from 'node:assert/strict';
import { type Context, rootContext, virtualRuntime } from '@souk/kernel';
import type { AnyDefinition, Json, SagaDefinition, SagaFailure } from './definition.ts';
import { type DurationText, parseDuration } from './duration.ts';
import { fromRow, type JournalRow } from './journal.ts';
import { ACTION } from './machine.ts';
import type { ActionRequest } from './plan-action.ts';
import type { SagaStatus } from './sagas.ts';
import { createAuditor } from './testing-auditor.ts';
import { answer, type Doing, type Effect, type ScriptedOutcome, withParticipants } from './testing-participant.ts';
import { type TestProcess, testProcess } from './testing-process.ts';
import { memoryStorage, memoryTx } from './testing-storage.ts';

/** When something comes: milliseconds from the start, or a time span from it like `'2h'`. */
export type At = number | DurationText;

export interface SimulateInit<TDeps, TInput> {
  readonly input: TInput;
  /**
   * How each call is answered, by step and in order of attempts; what is not listed is `ok`. `charge` is the step, `charge/undo` its undo,
   * `charge/resolve` the question what became of it, `onCompensated` the end; `parcel/pack` is the step `pack` of the child `parcel`.
   */
  readonly script?: Readonly<Record<string, readonly ScriptedOutcome[]>>;
  /** What steps return when they are `ok`, by step. @default undefined */
  readonly results?: Readonly<Record<string, Json>>;
  /** With it the steps do their own work whenever it happens, on these dependencies. */
  readonly deps?: TDeps;
  readonly signals?: readonly {
    readonly at: At;
    readonly name: string;
    readonly body?: Json;
    readonly signalId?: string;
  }[];
  readonly cancelAt?: At;
  /** What operators do. */
  readonly actions?: readonly ({ readonly at: At } & Pick<ActionRequest, 'action'> &
    Partial<Pick<ActionRequest, 'step' | 'result' | 'input' | 'force' | 'reason'>>)[];
  /**
   * Kills the process: after this step has happened and before anybody knows, the first time; or at its await of this number. A second
   * process goes on.
   */
  readonly crashAfter?: string | number;
  /** How long each call takes, in milliseconds. @default 10 */
  readonly takesMs?: number;
  /** @default 'saga' */
  readonly id?: string;
  /** Same seed, same delays. @default 1 */
  readonly seed?: number;
  /** Virtual time after which it is left as it is. @default '30d' */
  readonly upTo?: DurationText;
}

export interface SimulatedCall {
  /** As in the script: `charge`, `charge/undo`. */
  readonly call: string;
  readonly key: string;
  readonly attempt: number;
  /** Milliseconds from the start. */
  readonly at: number;
}

export interface Simulated {
  readonly id: string;
  readonly definition: AnyDefinition;
  readonly status: SagaStatus;
  readonly direction: 'forward' | 'backward';
  /** Why it turned back, or what it is stuck on. */
  readonly failure: SagaFailure | undefined;
  /** The journal in short: `STARTED`, `STEP_DONE reserve`, ... */
  readonly kinds: readonly string[];
  readonly records: readonly JournalRow[];
  readonly calls: readonly SimulatedCall[];
  /** What happened in the end, by key without the id of the saga: `done`, `undone`, `refused`. */
  readonly effects: ReadonlyMap<string, Effect>;
  /** Status of each child, by id without that of the saga. */
  readonly children: ReadonlyMap<string, SagaStatus>;
  /** From the start to the last record, in milliseconds. */
  readonly tookMs: number;
  /** Awaits of the first process: the highest number that `crashAfter` can take. */
  readonly points: number;
}

/** Beyond this a saga that nobody runs is waited for without any process. */
const IDLE_MS = 20_000;
const STEP_MS = 100;
const FINAL: readonly SagaStatus[] = ['COMPLETED', 'COMPENSATED', 'TERMINATED'];

/**
 * Runs a saga to its end, or until it is STUCK, PAUSED or waits for a signal that nobody sends: on the real engine, in virtual time, with a
 * storage in memory and participants that follow a script. The promises of the engine are checked on the way.
 *
 * @throws AssertionError when the engine breaks one, or when the script names a step that is not there
 */
export async function simulate<TDeps, TInput extends Json, TResults>(
  definition: SagaDefinition<TDeps, TInput, TResults>,
  init: SimulateInit<TDeps, TInput>,
): Promise<Simulated> {
  const { script = {}, results = {}, takesMs = 10, id = 'saga', seed = 1, crashAfter } = init;
  const ms = (at: At): number => (typeof at === 'number' ? at : parseDuration(definition.name, 'at', at));
  const runtime = virtualRuntime({ seed });
  const memory = memoryStorage(runtime);
  const ctx = rootContext({ runtime });
  const effects = new Map<string, Effect>();
  const calls: SimulatedCall[] = [];
  const counts = new Map<string, number>();
  const broken: unknown[] = [];
  let startMs = 0;
  let lastMs = 0;
  let records = 0;
  let crashed = false;

  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (thrown) {
      broken.push(thrown);
    }
  };
  const perform = async (
    process: TestProcess,
    _ctx: Context,
    doing: Doing,
    own: (deps: unknown) => Promise<unknown>,
  ): Promise<unknown> => {
    await process.pass();
    const name = callName(id, doing);
    guarded(() => auditor.called(doing));
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    calls.push({ call: name, key: doing.key, attempt: doing.attempt, at: runtime.clock.now() - startMs });
    const outcome = script[name]?.[count] ?? 'ok';
    if (takesMs > 0) await runtime.timers.sleep(takesMs);
    await process.pass();
    const work = async (): Promise<unknown> => (init.deps === undefined ? results[name] : own(init.deps));
    try {
      return await answer(effects, doing, outcome, work);
    } finally {
      if (name === crashAfter && !crashed) {
        crashed = true;
        process.kill();
      }
      await process.pass();
    }
  };
  const definitions = withParticipants(definition as unknown as AnyDefinition, perform);
  const root = definitions[0] as AnyDefinition;
  checkScript(definitions, [...Object.keys(script), ...Object.keys(results)]);
  const auditor = createAuditor({ memory, definitions, effects, maxClaims: 20 });
  memory.onCommit(() => {
    guarded(auditor.check);
    const now = memory.sagas.get(id)?.journal.length ?? 0;
    if (now > records) lastMs = runtime.clock.now();
    records = now;
  });

  const boot = async (crashAt = Number.POSITIVE_INFINITY): Promise<TestProcess> => {
    const process = testProcess({ runtime, memory, definitions, crashAt });
    void process.engine.start();
    await runtime.advance(50);
    return process;
  };
  const first = await boot(typeof crashAfter === 'number' ? crashAfter : undefined);
  let process = first;
  const begin = async (): Promise<void> => {
    const tx = memoryTx(ctx);
    const begun = process.engine.sagas.start(tx, root as never, { id, input: init.input as never, ctx });
    void begun.then(() => tx.commit());
    await runtime.settle();
  };
  startMs = runtime.clock.now();
  await begin();

  const events: { readonly at: number; readonly run: () => void }[] = [];
  const later = (at: At, run: () => void): void => void events.push({ at: startMs + ms(at), run });
  const { storage } = memory;
  for (const [index, { at, name, body = null, signalId = `${index}` }] of (init.signals ?? []).entries())
    later(at, () => void storage.signal({} as never, [{ sagaId: id, name, signalId, body }], 0));
  if (init.cancelAt !== undefined) {
    const body = { reason: 'cancelled by the script', actor: 'script' };
    later(
      init.cancelAt,
      () => void storage.signal({} as never, [{ sagaId: id, name: '$cancel', signalId: 'cancel', body }], 0),
    );
  }
  for (const [index, { at, reason = 'the script says so', ...asked }] of (init.actions ?? []).entries()) {
    const request = { ...asked, reason, actor: 'script', actionId: `action-${index}` };
    later(at, () => {
      const row = memory.sagas.get(id);
      if (row === undefined) return;
      const body = { ...request, at: runtime.clock.now() } as unknown as Json;
      if (row.status === 'RUNNING')
        return void storage.signal({} as never, [{ sagaId: id, name: ACTION, signalId: request.actionId, body }], 0);
      guarded(() => {
        const refused = memory.act(root, id, request);
        if (refused !== undefined) throw refused;
      });
    });
  }
  events.sort((one, other) => one.at - other.at);

  const endMs = startMs + ms(init.upTo ?? '30d');
  while (broken.length === 0 && runtime.clock.now() < endMs) {
    if (process.gone) process = await boot();
    if (!memory.sagas.has(id)) await begin();
    while (events[0] !== undefined && events[0].at <= runtime.clock.now()) events.shift()?.run();
    const rows = [...memory.sagas.values()];
    const due = Math.min(endMs, ...rows.map(dueOf), ...events.slice(0, 1).map(({ at }) => at));
    if (
      events.length === 0 &&
      rows.every(({ status, wakeAt }) => isOver(status) || (status === 'WAITING' && wakeAt > endMs))
    )
      break;
    if (due - runtime.clock.now() < IDLE_MS) {
      const next = Math.min(endMs, events[0]?.at ?? endMs) - runtime.clock.now();
      await runtime.advance(Math.max(1, Math.min(STEP_MS, next)));
      continue;
    }
    // Nobody holds anything: the process may as well be away.
    void process.engine.stop();
    await runtime.advance(100);
    process.kill();
    await runtime.advance(Math.max(0, due - runtime.clock.now()));
  }
  process.kill();
  if (broken.length === 0) guarded(auditor.finish);
  if (broken.length > 0) throw broken[0];

  const row = memory.sagas.get(id);
  assert.ok(row !== undefined);
  const state = auditor.state(id);
  const short = (key: string): string => (key.startsWith(`${id}/`) ? key.slice(id.length + 1) : key);
  const others = [...memory.sagas.values()].filter((one) => one.id !== id);
  return {
    id,
    definition: definition as unknown as AnyDefinition,
    status: row.status,
    direction: row.direction,
    failure: state?.stuck ?? state?.failure,
    kinds: memory.kinds(id),
    records: row.journal,
    calls,
    effects: new Map([...effects].map(([key, effect]) => [short(key), effect])),
    children: new Map(others.map((one) => [short(one.id), one.status])),
    tookMs: lastMs - startMs,
    points: first.points,
  };
}

const isOver = (status: SagaStatus): boolean => FINAL.includes(status) || status === 'STUCK' || status === 'PAUSED';

/** When a saga has something to do. */
const dueOf = ({ status, wakeAt }: { readonly status: SagaStatus; readonly wakeAt: number }): number => {
  if (isOver(status)) return Number.POSITIVE_INFINITY;
  return status === 'RUNNING' ? 0 : wakeAt;
};

/** The key of a step without the id of the saga and its revision, and what is done. */
function callName(id: string, { sagaId, step, work }: Doing): string {
  const within = sagaId === id ? '' : `${sagaId.slice(id.length + 1).replace(/~\d+/g, '')}/`;
  const what = work === 'undo' || work === 'resolve' ? `/${work}` : '';
  return `${within}${step}${what}`;
}

function checkScript([root, ...others]: readonly AnyDefinition[], names: readonly string[]): void {
  const steps = new Set([...(root?.steps.keys() ?? []), 'onCompensated']);
  for (const name of names) {
    const [first = '', ...rest] = name.split('/');
    const known = steps.has(first) && (rest.length < 2 || others.length > 0);
    assert.ok(known, `the script names ${name}: there is no step ${first} in ${root?.name}@${root?.version}`);
  }
}

/** The records of a simulated saga as its journal would give them back. */
export const recordsOf = ({ records }: Simulated) => records.map(fromRow);
