// Mistakes that could be made in the engine or its storage, each as a change of its source: the simulation must notice all of them.

export interface Defect {
  readonly name: string;
  readonly changes: readonly {
    /** In `src`. */
    readonly file: string;
    readonly find: string;
    readonly instead: string;
  }[];
}

const storage = 'testing-storage.ts';

export const defects: readonly Defect[] = [
  {
    name: 'no fence: a worker writes for its sagas whatever has become of its lease',
    changes: [
      { file: storage, find: 'if (!isLive(lease) || worker === undefined)', instead: 'if (worker === undefined)' },
      {
        file: storage,
        find: 'if (write.records.length > 0 && saga.journal.length >= last && saga.epoch === write.epoch) return true;',
        instead: 'void last;',
      },
      {
        file: storage,
        find: 'if (saga.owner !== lease.workerId || saga.epoch !== write.epoch || saga.journal.length !== write.base) return false;',
        instead: '',
      },
      {
        file: storage,
        find: 'saga.journal.push(...write.records);',
        instead: 'for (const record of write.records) saga.journal.push({ ...record, seq: saga.journal.length + 1 });',
      },
    ],
  },
  {
    name: 'claims are not counted',
    changes: [{ file: storage, find: 'saga.claims++;', instead: '' }],
  },
  {
    name: 'unknown is treated as failed',
    changes: [
      {
        file: 'outcome.ts',
        find: "return { is: 'unknown', error, afterMs: 0 };",
        instead: "return { is: 'failed', error, afterMs: 0 };",
      },
    ],
  },
  {
    name: 'undos run in the order of the steps',
    changes: [
      {
        file: 'machine.ts',
        find: 'isCompensatable(definition, step)).reverse()]',
        instead: 'isCompensatable(definition, step))]',
      },
    ],
  },
  {
    name: 'doubtful steps are not undone',
    changes: [{ file: 'machine.ts', find: 'toUndo: [...record.inDoubt, ', instead: 'toUndo: [' }],
  },
  {
    name: 'a signal is taken twice',
    changes: [
      {
        file: 'signals.ts',
        find: 'if (state.seen.includes(signalKey({ name, signalId }))) return undefined;',
        instead: 'void signalKey;',
      },
    ],
  },
  {
    name: 'a wake-up is lost',
    changes: [
      {
        file: storage,
        find: "if (saga?.status === 'WAITING') saga.wakeAt = Math.min(saga.wakeAt, now());",
        instead: 'void saga;',
      },
    ],
  },
  {
    name: 'a saga turns back past its pivot',
    changes: [
      {
        file: 'machine.ts',
        find: "if (outcome === 'refused') return isCommitted(definition, state) ? 'stuck' : 'turn';",
        instead: "if (outcome === 'refused') return 'turn';",
      },
    ],
  },
  {
    name: 'a lost worker leaves no doubt',
    changes: [
      {
        file: 'executor.ts',
        find: 'if (owned.interrupted) noteInterrupted(',
        instead: 'if (owned.epoch < 0) noteInterrupted(',
      },
    ],
  },
  {
    name: 'each attempt has a key of its own',
    changes: [
      {
        file: 'run-step.ts',
        find: 'key: keyOf(state, sagaId, name), timeoutMs, ending: forward };\n  return measured(run, name, attempt',
        instead:
          'key: `${keyOf(state, sagaId, name)}#${attempt}`, timeoutMs, ending: forward };\n  return measured(run, name, attempt',
      },
    ],
  },
  {
    name: 'the next step begins before the last is in the journal',
    changes: [
      {
        file: 'run-step.ts',
        find: 'return group.turned === undefined && !canWait ? handle.flush() : undefined;',
        instead:
          'void (group.turned === undefined && !canWait ? handle.flush().catch(() => {}) : undefined);\n      return;',
      },
    ],
  },
];
