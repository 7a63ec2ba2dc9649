// One seed is one life of a few sagas: random shapes, random workers, random faults, all of it repeatable.

import assert from 'node:assert/strict';
import { type Context, rootContext, seededRandom, virtualRuntime } from '@souk/kernel';
import type { AnyDefinition } from '../src/definition.ts';
import type { ActionName } from '../src/journal.ts';
import { ACTION } from '../src/machine.ts';
import type { ActionRequest } from '../src/plan-action.ts';
import type { SagaStorage } from '../src/storage.ts';
import { type Auditor, createAuditor } from '../src/testing-auditor.ts';
import { answer, type Doing, type Effect, type ScriptedOutcome, withParticipants } from '../src/testing-participant.ts';
import { type TestProcess, testProcess } from '../src/testing-process.ts';
import { type MemorySaga, memoryStorage, memoryTx } from '../src/testing-storage.ts';
import { type Dice, dice, type RandomInput, randomSaga } from './random-saga.ts';

const MAX_CLAIMS = 5;
const OPTIONS = {
  leaseMs: 3_000,
  heartbeatMs: 900,
  selfFenceMs: 2_100,
  pollMs: 400,
  takeOverMs: 700,
  auditMs: 2_000,
  drainMs: 300,
  maxClaims: MAX_CLAIMS,
};
/** Faults come until then; afterwards everything works, and everything must come to its end. */
const TROUBLE_MS = 9_000;
const PATIENCE_MS = 240_000;
const FINAL = ['COMPLETED', 'COMPENSATED', 'TERMINATED'];

export interface Sabotage {
  /** Lets operators act on sagas whose worker was lost, before another has claimed them. */
  readonly actOnLost?: boolean;
  /** Lets steps kill their process also where another step of the group waits for something. */
  readonly killBeside?: boolean;
  /** Distorts what a worker sees of the storage. */
  readonly distort?: (storage: SagaStorage, memory: ReturnType<typeof memoryStorage>) => SagaStorage;
  /** Sees the sagas when something was broken. */
  readonly onBroken?: (sagas: readonly MemorySaga[]) => void;
}

/** What a seed came to. */
export interface Life {
  readonly ends: readonly string[];
  readonly virtualMs: number;
  readonly commits: number;
  readonly calls: number;
}

/** @throws AssertionError naming what was broken */
export async function live(seed: number, sabotage: Sabotage = {}): Promise<Life> {
  const random = dice(seededRandom(seed * 2 + 1));
  const runtime = virtualRuntime({ seed });
  const memory = memoryStorage(runtime);
  const ctx = rootContext({ runtime });
  const startMs = runtime.clock.now();
  const effects = new Map<string, Effect>();
  const broken: unknown[] = [];
  const troubled = (): boolean => runtime.clock.now() - startMs < TROUBLE_MS;

  const definition = randomSaga(random);
  const picked = random.chance(0.04) ? random.pick([...definition.steps.keys()]) : undefined;
  // Beside something that is waited for it is not noticed yet: see the tests of what is still to be done.
  const alone = definition.groups.some(
    (group) => group.some(({ name }) => name === picked) && group.every(({ work }) => work.is === 'run'),
  );
  const killer = alone || sabotage.killBeside ? picked : undefined;
  const moods = participants(random);
  let attempts = 0;
  /** Pivots that were asked about and said not to have happened: what was under way then does nothing any more. */
  const fenced = new Map<string, number>();

  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (thrown) {
      broken.push(thrown);
    }
  };
  const perform = async (process: TestProcess, _ctx: Context, doing: Doing): Promise<unknown> => {
    attempts++;
    const began = attempts;
    const { key, work } = doing;
    if (process.gone) return new Promise(() => {});
    guarded(() => auditor.called(doing));
    await process.pass();
    await runtime.timers.sleep(1 + random.below(8));
    if (doing.step === killer && work === 'run') process.kill();
    const late = work === 'run' && began <= (fenced.get(key) ?? 0);
    const known = effects.get(key);
    const wanted = troubled() ? moods(doing, known) : 'ok';
    const outcome = late || (work === 'run' && known === 'refused') ? 'refused' : wanted;
    try {
      const result = await answer(effects, doing, outcome, async () =>
        work === 'run' && doing.step.startsWith('r') ? { seen: 1 } : undefined,
      );
      if (result === 'not-done') fenced.set(key, attempts);
      if (work === 'undo') takeBackChild(effects, key);
      return result;
    } finally {
      await process.pass();
    }
  };

  const definitions = withParticipants(definition, perform);
  const root = definitions[0] as AnyDefinition;
  const auditor: Auditor = createAuditor({ memory, definitions, effects, maxClaims: MAX_CLAIMS });
  memory.onCommit(() => guarded(auditor.check));

  const dropRate = random.pick([0, 0, 0.02, 0.1]);
  const outage = random.chance(0.15) ? { from: random.below(TROUBLE_MS), ms: random.below(5_000) } : undefined;
  memory.failWhen(() => {
    if (!troubled()) return undefined;
    const at = runtime.clock.now() - startMs;
    if (outage !== undefined && at >= outage.from && at < outage.from + outage.ms) return 'before';
    if (dropRate === 0 || !random.chance(dropRate)) return undefined;
    return random.chance(0.5) ? 'before' : 'after';
  });

  const boot = async (): Promise<TestProcess> => {
    const process = testProcess({
      runtime,
      memory,
      definitions,
      options: OPTIONS,
      skewMs: random.chance(0.3) ? random.below(1_000) - 500 : 0,
      crashAt: troubled() && random.chance(0.5) ? 1 + random.below(60) : Number.POSITIVE_INFINITY,
      ...(sabotage.distort && { distort: (storage) => sabotage.distort?.(storage, memory) ?? storage }),
    });
    // A database that is away at the start ends the process: whoever keeps it running starts it again.
    process.engine.start().catch(() => process.kill());
    return process;
  };
  const workers: TestProcess[] = [];
  const count = 1 + random.below(3);
  for (let index = 0; index < count; index++) workers.push(await boot());
  await runtime.advance(20);

  /** A process that only starts sagas. */
  const spare = (): TestProcess => testProcess({ runtime, memory, definitions, options: OPTIONS });
  const ids = Array.from({ length: 1 + random.below(2) }, (_one, index) => `s${index}`);
  for (const id of ids) {
    const input: RandomInput = { flags: random.below(16) };
    const told = random.chance(0.95);
    // Whoever starts it may be killed meanwhile, and then somebody else does.
    for (const { engine } of [random.pick(workers), spare()]) {
      const tx = memoryTx(ctx);
      const begin = engine.sagas.start(tx, root as never, { id, input: input as never, ctx });
      void begin.then(() => told && tx.commit());
      await runtime.advance(5);
      if (memory.sagas.has(id)) break;
    }
  }

  const at = (ms: number, work: () => unknown): void => void runtime.timers.after(ms, work as () => void);
  const alive = (): TestProcess | undefined => {
    const list = workers.filter((one) => !one.gone);
    return list.length === 0 ? undefined : random.pick(list);
  };
  const tell = async (
    work: (engine: TestProcess['engine'], tx: ReturnType<typeof memoryTx>) => Promise<void>,
  ): Promise<void> => {
    const process = alive();
    if (process === undefined) return;
    const tx = memoryTx(ctx);
    await work(process.engine, tx);
    tx.commit();
  };
  for (const id of ids) {
    // Early, late and twice.
    for (let index = random.below(4); index > 0; index--) {
      const signal = {
        id: random.chance(0.8) ? id : `${id}/k-1`,
        name: 'go',
        signalId: `${random.below(2)}`,
        body: index,
      };
      at(random.below(TROUBLE_MS), () => tell((engine, tx) => engine.sagas.signal(tx, signal)));
    }
    if (random.chance(0.2)) {
      const request = { reason: 'no more', actor: 'kim', actionId: 'c' };
      at(random.below(4_000), () => tell((engine, tx) => engine.sagas.cancel(tx, id, request)));
    }
    if (random.chance(0.2)) {
      for (let index = 1 + random.below(3); index > 0; index--) {
        const request = operatorAction(random, `${id}-a${index}`);
        at(random.below(TROUBLE_MS), () => act(memory, definitions, id, request, guarded, sabotage.actOnLost ?? false));
      }
    }
  }
  for (let index = 0; index < count; index++) {
    if (!random.chance(0.2)) continue;
    const ms = 500 + random.below(6_000);
    at(random.below(5_000), () => alive()?.pauseUntil(runtime.clock.now() + ms));
  }

  const goOn = (): boolean => {
    let open = false;
    for (const row of memory.sagas.values()) {
      if (row.status === 'PAUSED') {
        if (!troubled())
          act(
            memory,
            definitions,
            row.id,
            { action: 'resume', actionId: `resume-${runtime.clock.now()}`, actor: 'kim', reason: 'go on' },
            guarded,
            sabotage.actOnLost ?? false,
          );
        open = true;
      } else open ||= row.status !== 'STUCK' && !FINAL.includes(row.status);
    }
    return open;
  };
  while (broken.length === 0 && goOn() && runtime.clock.now() - startMs < PATIENCE_MS) {
    for (const [index, worker] of workers.entries()) {
      if (worker.gone) workers[index] = await boot();
    }
    await runtime.advance(250);
  }
  if (broken.length === 0) {
    const left = [...memory.sagas.values()].filter(
      ({ status }) => status !== 'STUCK' && !FINAL.includes(status) && !waitsForStuck(status),
    );
    const lost = left.filter(
      ({ id }) => ![...memory.sagas.values()].some((row) => row.id.startsWith(`${id}/`) && row.status === 'STUCK'),
    );
    guarded(() =>
      assert.deepEqual(
        lost.map(({ id, status }) => `${id} ${status}`),
        [],
        'these never came to an end',
      ),
    );
    guarded(auditor.finish);
  }
  for (const worker of workers) worker.kill();
  if (broken.length > 0) {
    sabotage.onBroken?.([...memory.sagas.values()]);
    throw broken[0];
  }
  return {
    ends: [...memory.sagas.values()].map(({ status }) => status),
    virtualMs: runtime.clock.now() - startMs,
    commits: memory.commits,
    calls: attempts,
  };
}

const waitsForStuck = (status: string): boolean => status === 'PAUSED';

/** What was undone as one step is not there any more, whatever it was made of. */
function takeBackChild(effects: Map<string, Effect>, key: string): void {
  const child = key.slice(0, -'/undo'.length);
  for (const part of effects.keys()) if (part.startsWith(`${child}/`)) effects.set(part, 'undone');
}

/** How the participants of a seed are in general. */
function participants(random: Dice): (doing: Doing, effect: Effect | undefined) => ScriptedOutcome {
  const well = random.pick([0.5, 0.75, 0.9, 1]);
  const refuses = random.pick([0, 0.1, 0.3]);
  return ({ work }, effect) => {
    if (random.chance(well)) return 'ok';
    if (work === 'resolve') {
      const outcome = random.pick(['ok', 'unknown', 'failed'] as const);
      return outcome === 'ok' && effect === 'done' ? 'done' : outcome;
    }
    if (random.chance(refuses)) return work === 'run' || random.chance(0.2) ? 'refused' : 'failed';
    const outcome = random.pick([
      'failed',
      'failed',
      'unknown',
      'unknown',
      'silent',
      'silent',
      'hangs',
      'defect',
      'review',
    ] as const);
    return outcome === 'review' && !random.chance(0.2) ? 'unknown' : outcome;
  };
}

type Asked = Omit<ActionRequest, 'sagaId' | 'at'>;

function operatorAction(random: Dice, actionId: string): Asked {
  const action = random.pick<ActionName>([
    'retry',
    'retry',
    'skip',
    'pause',
    'resume',
    'compensate',
    'terminate',
    'cancel',
    'edit',
  ]);
  return {
    action,
    actionId,
    actor: 'kim',
    reason: 'a test',
    force: random.chance(0.2),
    ...(action === 'edit' && { input: { flags: 3 } }),
  };
}

/** As an operator does it: in the journal of a saga that nobody owns, and by a signal to the owner of one that runs. */
function act(
  memory: ReturnType<typeof memoryStorage>,
  definitions: readonly AnyDefinition[],
  id: string,
  asked: Asked,
  guarded: (work: () => void) => void,
  onLost: boolean,
): void {
  const row = memory.sagas.get(id);
  const definition = definitions.find((one) => one.name === row?.name);
  if (row === undefined || definition === undefined) return;
  // Its worker was lost, and what it was doing then is not in the journal: see the test of what is still to be done.
  if (!onLost && row.status === 'READY' && row.epoch > 0) return;
  if (row.status !== 'RUNNING') {
    guarded(() => void memory.act(definition, id, asked));
    return;
  }
  const body = { ...asked, at: 0 } as never;
  void memory.storage.signal({} as never, [{ sagaId: id, name: ACTION, signalId: asked.actionId, body }], 0);
}
