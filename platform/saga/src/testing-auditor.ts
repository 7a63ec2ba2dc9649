import assert from 'node:assert/strict';
import type { AnyDefinition } from './definition.ts';
import { fromRow, type JournalRecord, type JournalRow } from './journal.ts';
import { evolve } from './machine.ts';
import { type MachineState, START } from './machine-state.ts';
import { placeOf } from './plan-action.ts';
import { NO_TIME } from './step.ts';
import type { Doing, Effect } from './testing-participant.ts';
import type { MemorySaga, memoryStorage } from './testing-storage.ts';

/** What is known of a saga's journal so far. */
interface Audited {
  rows: readonly JournalRow[];
  last: JournalRow | undefined;
  count: number;
  state: MachineState;
  /** Claims since the last record, counted by the auditor itself. */
  claims: number;
  epoch: number;
  /** The state just before it turned back; undefined before that. */
  turnedFrom: MachineState | undefined;
  /** Undos that are due by the journal at the turn, in order. */
  expected: readonly string[];
  readonly undone: string[];
  /** An operator acted after the turn, and the order is theirs. */
  touched: boolean;
  forced: boolean;
  readonly settled: Set<string>;
  readonly signals: Map<string, boolean>;
}

const FINAL = ['COMPLETED', 'COMPENSATED', 'TERMINATED'];

/**
 * Watches a storage, and the participants, and says at once when the engine breaks a promise. It keeps books of its own: what the rows say of
 * themselves proves nothing.
 */
export interface Auditor {
  /** After everything that may have changed a row. @throws AssertionError */
  check(): void;
  /** Before a participant begins to work. @throws AssertionError */
  called(doing: Doing): void;
  /** When nothing is left to do. @throws AssertionError */
  finish(): void;
  readonly state: (sagaId: string) => MachineState | undefined;
}

export function createAuditor(init: {
  readonly memory: ReturnType<typeof memoryStorage>;
  readonly definitions: readonly AnyDefinition[];
  readonly effects: ReadonlyMap<string, Effect>;
  readonly maxClaims: number;
}): Auditor {
  const { memory, effects, maxClaims } = init;
  const definitions = new Map(init.definitions.map((one) => [`${one.name}@${one.version}`, one]));
  const audited = new Map<string, Audited>();
  const keys = new Map<string, string>();

  const definitionOf = (row: MemorySaga): AnyDefinition => {
    const definition = definitions.get(`${row.name}@${row.version}`);
    assert.ok(definition !== undefined, `${row.id}: nobody knows ${row.name}@${row.version}`);
    return definition;
  };
  const doneBy = (id: string, step: string): boolean => {
    for (const [key, effect] of effects) {
      if (effect === 'done' && (key === `${id}/${step}` || key.startsWith(`${id}/${step}~`))) return true;
    }
    return false;
  };

  const append = (row: MemorySaga, definition: AnyDefinition, book: Audited, record: JournalRecord): void => {
    const { id } = row;
    const before = book.state;
    const where = `${id}: record ${book.count + 1} ${record.kind}`;
    // What operators asked for in the same moment is answered, with a refusal.
    const refusal = record.kind === 'ACTION' && record.outcome === 'refused';
    assert.ok(before.end === undefined || refusal, `${where} comes after the end`);
    assert.equal(record.kind === 'STARTED', book.count === 0, `${where}: STARTED comes first, and once`);
    if (record.kind === 'ACTION') {
      if (record.action === 'compensate' && record.force && record.outcome !== 'refused') book.forced = true;
      if (record.outcome !== 'refused' && record.action !== 'pause' && record.action !== 'resume') book.touched = true;
      if (record.outcome !== 'refused' && record.action === 'cancel') book.touched = false;
    }
    const settles = settledBy(record, before);
    if (settles !== undefined) {
      assert.ok(!book.settled.has(settles), `${where}: ${settles} was settled before`);
      book.settled.add(settles);
      if (book.turnedFrom !== undefined) assert.equal(record.kind, 'CHILD', `${where}: ${settles} after the turn`);
    }
    if (record.kind === 'SIGNALLED') {
      const key = `${record.name}/${record.signalId}`;
      const used = book.signals.get(key);
      assert.ok(used === undefined || (!used && record.step !== undefined), `${where}: ${key} is taken twice`);
      book.signals.set(key, record.step !== undefined);
    }
    if (record.kind === 'TURNED') {
      assert.equal(book.turnedFrom, undefined, `${where}: it turned before`);
      checkTurn(id, definition, book, where);
      book.turnedFrom = before;
      book.touched = false;
      const doubtful = record.inDoubt;
      const done = before.done.filter((step) => definition.steps.get(step)?.kind === 'compensatable').reverse();
      book.expected = [...doubtful, ...done];
      for (const step of before.inDoubt) {
        const compensatable = definition.steps.get(step)?.kind === 'compensatable';
        assert.ok(
          !compensatable || before.done.includes(step) || doubtful.includes(step),
          `${where}: ${step} may have happened and is left out`,
        );
      }
    }
    if (record.kind === 'UNDO_DONE') {
      const { step } = record;
      assert.ok(book.turnedFrom !== undefined, `${where}: ${step} is undone, but the saga did not turn`);
      assert.ok(!book.undone.includes(step), `${where}: ${step} is undone twice`);
      const index = book.expected.indexOf(step);
      if (index >= 0 && !book.touched) {
        const later = book.undone.filter((one) => book.expected.indexOf(one) > index);
        assert.deepEqual(later, [], `${where}: ${step} is undone after what was done before it`);
      }
      book.undone.push(step);
    }
    book.state = evolve(definition, before, record);
  };

  const checkTurn = (id: string, definition: AnyDefinition, book: Audited, where: string): void => {
    if (book.forced) return;
    for (const { name, kind } of definition.steps.values()) {
      if (kind !== 'pivot' && kind !== 'retriable') continue;
      assert.ok(!book.state.done.includes(name), `${where}: it turns back past ${name}`);
      assert.ok(!doneBy(id, name), `${where}: it turns back, and ${name} has happened`);
    }
  };

  const checkRow = (row: MemorySaga, definition: AnyDefinition, { state }: Audited): void => {
    const { id, status } = row;
    const final = FINAL.includes(status);
    const place = placeOf(definition, state);
    const due = ['READY', 'RUNNING', 'WAITING'].includes(status);
    assert.equal(row.direction, state.direction, `${id}: direction`);
    if (due) assert.equal(place.status, 'WAITING', `${id}: the row says ${status}, its journal ${place.status}`);
    else assert.equal(status, place.status, `${id}: the row does not say what its journal says`);
    if (row.step !== undefined) assert.equal(row.step, place.step, `${id}: step`);
    assert.equal(row.owner !== undefined, status === 'RUNNING', `${id}: owned if and only if it runs`);
    if (row.owner !== undefined) assert.ok(memory.workers.has(row.owner), `${id}: its owner never had a lease`);
    const waits = status === 'READY' || status === 'WAITING';
    if (!waits && status !== 'RUNNING')
      assert.equal(row.wakeAt, Number.POSITIVE_INFINITY, `${id}: ${status} with a timer`);
    if (waits) assert.ok(row.wakeAt <= NO_TIME, `${id}: ${status}, and nothing wakes it`);
    const open = Object.keys(state.waits).length > 0;
    if (waits && row.wakeAt === NO_TIME) assert.ok(open, `${id}: it sleeps for ever and waits for nothing`);
    assert.ok(!final || state.end === status, `${id}: ${status} without an end`);
  };

  const auditSaga = (row: MemorySaga): void => {
    const definition = definitionOf(row);
    let book = audited.get(row.id);
    if (book === undefined) {
      book = {
        rows: row.journal,
        last: undefined,
        count: 0,
        state: START,
        claims: 0,
        epoch: 0,
        turnedFrom: undefined,
        expected: [],
        undone: [],
        touched: false,
        forced: false,
        settled: new Set(),
        signals: new Map(),
      };
      audited.set(row.id, book);
    }
    assert.equal(row.journal[book.count - 1], book.last, `${row.id}: its journal was changed`);
    if (row.epoch !== book.epoch) {
      if (row.status === 'RUNNING') book.claims++;
      book.epoch = row.epoch;
    }
    for (const record of row.journal.slice(book.count)) {
      assert.equal(record.seq, book.count + 1, `${row.id}: its records are numbered without gaps`);
      append(row, definition, book, fromRow(record));
      book.count++;
      book.last = record;
      book.claims = 0;
    }
    assert.ok(book.claims <= maxClaims + 1, `${row.id}: claimed ${book.claims} times without a record`);
    checkRow(row, definition, book);
  };

  const finishSaga = (row: MemorySaga): void => {
    const { id, status } = row;
    const definition = definitionOf(row);
    const book = audited.get(id) as Audited;
    const { state } = book;
    if (status === 'COMPLETED') {
      for (const { name, work } of definition.steps.values()) {
        const settled = state.done.includes(name) || state.skipped.includes(name);
        assert.ok(settled, `${id}: COMPLETED without ${name}`);
        if (work.is !== 'run') continue;
        const byHand = book.touched || state.actions.length > 0;
        // A child that was done may have been undone as one step of its parent.
        const undone = row.id.includes('/') && effects.get(`${id}/${name}`) === 'undone';
        if (state.done.includes(name))
          assert.ok(byHand || undone || doneBy(id, name), `${id}: ${name} is said to be done`);
        else assert.ok(byHand || !doneBy(id, name), `${id}: ${name} was skipped, and has happened`);
      }
    }
    if (status === 'COMPENSATED') {
      for (const { name, kind, work } of definition.steps.values()) {
        if (work.is !== 'run' || kind === 'read' || state.waived.includes(name) || book.forced) continue;
        assert.ok(!doneBy(id, name), `${id}: COMPENSATED, and ${name} is left`);
      }
      if (!book.touched && state.waived.length === 0) {
        const missing = book.expected.filter((step) => !book.undone.includes(step));
        assert.deepEqual(missing, [], `${id}: COMPENSATED without these undos`);
      }
    }
  };

  return {
    check: () => {
      for (const row of memory.sagas.values()) auditSaga(row);
    },
    called: ({ sagaId, step, work, key }) => {
      const row = memory.sagas.get(sagaId);
      const book = audited.get(sagaId);
      assert.ok(row !== undefined && book !== undefined, `${sagaId}: ${step} is called, and there is no such saga`);
      const definition = definitionOf(row);
      const { state } = book;
      const what = `${sagaId}/${step}/${work}~${state.revisions[step] ?? 0}`;
      const known = keys.get(what);
      assert.ok(known === undefined || known === key, `${what} is called as ${known}, and then as ${key}`);
      keys.set(what, key);
      if (work === 'run') {
        if (definition.steps.get(step)?.kind === 'read') return;
        for (const group of definition.groups) {
          if (group.some(({ name }) => name === step)) break;
          for (const { name, kind, work: earlier } of group) {
            // Reads, and what is skipped, may still be on their way to the journal.
            const light = kind === 'read' && earlier.is === 'run';
            if (light || definition.steps.get(name)?.when !== undefined) continue;
            assert.ok(state.done.includes(name), `${what} is called before ${name} is in the journal`);
          }
        }
      } else if (work !== 'resolve') {
        assert.equal(state.direction, 'backward', `${what}: the saga did not turn back`);
        for (const { child } of Object.values(state.waits)) {
          const status = child === undefined ? undefined : memory.sagas.get(child)?.status;
          assert.ok(status === undefined || FINAL.includes(status), `${what}: the child ${child} is ${status}`);
        }
      }
    },
    finish: () => {
      for (const row of memory.sagas.values()) finishSaga(row);
    },
    state: (sagaId) => audited.get(sagaId)?.state,
  };
}

/** The step that counts as done, or skipped, from this record on. */
function settledBy(record: JournalRecord, before: MachineState): string | undefined {
  switch (record.kind) {
    case 'ACTION':
      return record.action === 'skip' && before.direction === 'forward' ? record.step : undefined;
    case 'STEP_DONE':
    case 'TIMER':
    case 'SKIPPED':
      return record.step;
    case 'SIGNALLED':
      return record.step;
    case 'CHILD':
      return record.status === 'COMPLETED' ? record.step : undefined;
    default:
      return undefined;
  }
}
