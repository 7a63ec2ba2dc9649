import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnyDefinition } from './definition.ts';
import { fromRow, type JournalRecord, type JournalRow } from './journal.ts';
import { decide, evolve, fold, type MachineState } from './machine.ts';
import { START } from './machine-state.ts';
import { placeOf } from './plan-action.ts';
import { isWanted } from './step.ts';
import type { Simulated } from './testing-simulate.ts';

/** Definitions of any dependencies and input. */
export type SomeDefinition = { readonly name: string; readonly version: number; readonly shape: string };

const plain = (definition: SomeDefinition): AnyDefinition => definition as AnyDefinition;

/**
 * What the engine would do next, in words: `run reserve+credit`, `skip wrap`, `undo reserve`, `close`, `cancel`, `cancel children parcel`,
 * `stick`, `end COMPLETED`, `rest`.
 */
function nextOf(definition: AnyDefinition, state: MachineState): string {
  const next = decide(definition, state);
  switch (next.is) {
    case 'run': {
      const wanted = (step: (typeof next.steps)[number]): boolean => isWanted(state, 'saga', step);
      const names = (list: typeof next.steps): string => list.map(({ name }) => name).join('+');
      const run = next.steps.filter(wanted);
      return run.length > 0 ? `run ${names(run)}` : `skip ${names(next.steps)}`;
    }
    case 'undo':
      return `undo ${next.step.name}`;
    case 'children':
      return `cancel children ${next.steps.join('+')}`;
    case 'end':
      return `end ${next.status}`;
    default:
      return next.is;
  }
}

/** What follows from a journal. */
export interface HistoryOutlook {
  /** More records behind those given. */
  when(...records: readonly JournalRecord[]): HistoryOutlook;
  /** @param next In words: `run charge`, `undo reserve`, `end COMPLETED`, `rest`. @throws AssertionError when it is something else */
  then(next: string): void;
  /** All that is known of the saga. */
  readonly state: MachineState;
}

/** Says what the engine would do, without running it: `givenHistory(placeOrder, records).then('run charge')`. */
export function givenHistory(definition: SomeDefinition, records: readonly JournalRecord[]): HistoryOutlook {
  const state = fold(plain(definition), records);
  return {
    state,
    when: (...more) => givenHistory(definition, [...records, ...more]),
    // biome-ignore lint/suspicious/noThenProperty: given, when, then is how these sentences are read; nobody awaits them
    then: (next) => assert.equal(nextOf(plain(definition), state), next),
  };
}

/** A journal as it was once written, and what it meant then. */
interface RecordedHistory {
  readonly saga: string;
  readonly version: number;
  readonly shape: string;
  readonly records: readonly JournalRow[];
  /** What came next after each record. */
  readonly nexts: readonly string[];
  /** How the saga stood after the last. */
  readonly stands: ReturnType<typeof standing>;
}

const standing = (definition: AnyDefinition, state: MachineState) => {
  const { done, skipped, inDoubt, toUndo, waived, results } = state;
  const { status, direction, step } = placeOf(definition, state);
  const lists = { done, skipped, inDoubt, toUndo, waived };
  return { status, direction, step, ...lists, results: JSON.parse(JSON.stringify(results)) as unknown };
};

function meaning(definition: AnyDefinition, records: readonly JournalRow[]) {
  const nexts: string[] = [];
  let state = START;
  for (const row of records) {
    state = evolve(definition, state, fromRow(row));
    nexts.push(nextOf(definition, state));
  }
  return { nexts, stands: standing(definition, state) };
}

/**
 * Keeps the journal of a simulated saga for releases to come, in `<folder>/<name>@<version>/<label>.json`.
 *
 * @param label In kebab-case: what became of it.
 */
export async function recordHistory(folder: string, label: string, simulated: Simulated): Promise<void> {
  const { definition, records } = simulated;
  const { name: saga, version, shape } = definition;
  const history: RecordedHistory = { saga, version, shape, records, ...meaning(definition, records) };
  const into = join(folder, `${saga}@${version}`);
  await mkdir(into, { recursive: true });
  await writeFile(join(into, `${label}.json`), `${JSON.stringify(history, undefined, 2)}\n`);
}

/**
 * Folds recorded histories on today's definitions: each must mean what it meant when it was written.
 *
 * @param folder Of `<name>@<version>/*.json`.
 * @returns how many there are
 * @throws AssertionError naming the file and the step that differs; also when a version that has histories is not declared any more
 */
export async function replayHistories(definitions: readonly SomeDefinition[], folder: string): Promise<number> {
  const known = new Map(definitions.map((one) => [`${one.name}@${one.version}`, plain(one)]));
  let count = 0;
  for (const kind of (await readdir(folder)).toSorted()) {
    const files = (await readdir(join(folder, kind))).filter((file) => file.endsWith('.json')).toSorted();
    for (const file of files) {
      const history = JSON.parse(await readFile(join(folder, kind, file), 'utf8')) as RecordedHistory;
      const definition = known.get(kind);
      assert.ok(
        definition !== undefined,
        `${kind}/${file}: ${kind} is not declared any more, and instances of it may run`,
      );
      replay(`${kind}/${file}`, definition, history);
      count++;
    }
  }
  assert.ok(count > 0, `${folder} has no histories`);
  return count;
}

function replay(where: string, definition: AnyDefinition, history: RecordedHistory): void {
  const { records, nexts, shape } = history;
  const differing = firstDifference(shape, definition.shape);
  assert.ok(
    differing === undefined,
    `${where}: the steps of ${history.saga} have changed under version ${history.version}: ${differing}. Give the changed saga a new version`,
  );
  const now = meaning(definition, records);
  for (const [index, was] of nexts.entries()) {
    const record = fromRow(records[index] as JournalRow);
    const named = 'step' in record && record.step !== undefined ? `${record.kind} ${record.step}` : record.kind;
    const is = now.nexts[index];
    assert.ok(is === was, `${where}: after record ${index + 1} (${named}) it was to ${was}, and is now to ${is}`);
  }
  assert.deepEqual(now.stands, history.stands, `${where}: it does not stand as it did`);
}

/** In words; undefined when there is none. */
function firstDifference(was: string, is: string): string | undefined {
  if (was === is) return undefined;
  const [before, now] = [was.split(' '), is.split(' ')];
  for (let index = 0; index < Math.max(before.length, now.length); index++) {
    if (before[index] === now[index]) continue;
    return `in place ${index + 1} was ${before[index] ?? 'nothing'}, and is now ${now[index] ?? 'nothing'}`;
  }
  return undefined;
}
