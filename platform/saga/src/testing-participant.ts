import { type Context, SoukError } from '@souk/kernel';
import type { AnyDefinition, AnyStep, Json } from './definition.ts';
import { call } from './step.ts';
import type { TestProcess } from './testing-process.ts';

/**
 * How a participant answers one attempt:
 * - `ok`, `{ ok: result }`: it happens.
 * - `refused`, `{ refused: reason }`: a business refusal; nothing happens.
 * - `failed`: nothing happens, and the participant says so.
 * - `unknown`: it happens, and the answer is lost. `silent`: nothing happens, and no answer comes.
 * - `hangs`: it happens, and no answer comes until the time is over.
 * - `defect`: a programming error; nothing happens. `review`: it asks for a person.
 *
 * For `resolve`: `done`, `not-done`, `unknown`, and `failed`.
 */
export type ScriptedOutcome =
  | 'ok'
  | 'refused'
  | 'failed'
  | 'unknown'
  | 'silent'
  | 'hangs'
  | 'defect'
  | 'review'
  | 'done'
  | 'not-done'
  | { readonly ok: Json }
  | { readonly refused: string };

/** One attempt, as the participant sees it. */
export interface Doing {
  readonly sagaId: string;
  readonly step: string;
  readonly work: 'run' | 'undo' | 'resolve' | 'end';
  readonly attempt: number;
  readonly key: string;
}

/** What became of the work of a key. */
export type Effect = 'done' | 'undone' | 'refused';

const error = (code: SoukError['code'], reason: string, retry: SoukError['retry']['kind']): SoukError =>
  new SoukError({ code, reason, message: `scripted: ${reason}`, retry: { kind: retry } });

export const scriptedError = {
  refused: (reason = 'SCRIPT_REFUSED') => error('failed_precondition', reason, 'never'),
  failed: () => error('unavailable', 'SCRIPT_FAILED', 'later'),
  unknown: () => error('unavailable', 'SCRIPT_UNKNOWN', 'unknownOutcome'),
  defect: () => error('internal', 'SCRIPT_DEFECT', 'never'),
  review: () => error('failed_precondition', 'SAGA_MANUAL_REVIEW', 'never'),
};

/**
 * A participant as it must be: it heeds the key, accepts an undo for what never happened, and refuses what comes after its undo.
 *
 * @param own What else is to be done when it happens.
 */
export async function answer(
  effects: Map<string, Effect>,
  { key, work }: Pick<Doing, 'key' | 'work'>,
  outcome: ScriptedOutcome,
  own: () => Promise<unknown>,
): Promise<unknown> {
  const subject = work === 'undo' ? key.slice(0, -'/undo'.length) : key;
  if (work === 'resolve') return resolution(effects.get(key), outcome);
  switch (outcome) {
    case 'failed':
      throw scriptedError.failed();
    case 'silent':
      throw scriptedError.unknown();
    case 'defect':
      throw scriptedError.defect();
    case 'review':
      throw scriptedError.review();
  }
  const before = effects.get(subject);
  if (work === 'run' && before === 'undone') throw scriptedError.refused('SCRIPT_UNDONE_BEFORE');
  if (outcome === 'refused' || (typeof outcome === 'object' && 'refused' in outcome)) {
    if (before === undefined && work === 'run') effects.set(subject, 'refused');
    if (before === undefined || work !== 'run')
      throw scriptedError.refused(typeof outcome === 'object' ? outcome.refused : undefined);
  }
  const result = await own();
  effects.set(subject, work === 'undo' ? 'undone' : 'done');
  if (outcome === 'unknown') throw scriptedError.unknown();
  if (outcome === 'hangs') return new Promise(() => {});
  return typeof outcome === 'object' && 'ok' in outcome ? outcome.ok : result;
}

function resolution(effect: Effect | undefined, outcome: ScriptedOutcome): unknown {
  if (outcome === 'failed') throw scriptedError.failed();
  if (outcome === 'ok') return effect === 'done' ? 'done' : 'not-done';
  return typeof outcome === 'object' && 'ok' in outcome ? { done: outcome.ok } : outcome;
}

/**
 * The same sagas with every call of their steps going through `perform`: same shape, timeouts, retries and conditions. Children are
 * found by themselves.
 *
 * @returns the saga itself first, then its children
 */
export function withParticipants(
  definition: AnyDefinition,
  perform: (
    process: TestProcess,
    ctx: Context,
    doing: Doing,
    own: (deps: unknown) => Promise<unknown>,
  ) => Promise<unknown>,
): readonly AnyDefinition[] {
  const known = new Map<AnyDefinition, AnyDefinition>();

  const wrapped = (own: unknown, step: string, work: Doing['work']) =>
    own === undefined
      ? undefined
      : (ctx: Context, about: { sagaId: string; attempt?: number }, process: TestProcess) => {
          const { sagaId, attempt = 1 } = about;
          const doing = { sagaId, step, work, attempt, key: ctx.idempotencyKey ?? '' };
          return perform(process, ctx, doing, (deps) => call(own, ctx, about, deps));
        };
  const stepOf = (step: AnyStep): AnyStep => {
    const { name, work } = step;
    const undo = wrapped(step.undo, name, 'undo') as AnyStep['undo'];
    if (work.is === 'run') {
      const run = wrapped(work.run, name, 'run') as typeof work.run;
      return {
        ...step,
        undo,
        work: { ...work, run, resolve: wrapped(work.resolve, name, 'resolve') as typeof work.resolve },
      };
    }
    return { ...step, undo, work: work.is === 'child' ? { ...work, saga: wrap(work.saga) } : work };
  };
  const wrap = (one: AnyDefinition): AnyDefinition => {
    const before = known.get(one);
    if (before !== undefined) return before;
    const groups = one.groups.map((group) => group.map(stepOf));
    const after: AnyDefinition = {
      ...one,
      groups,
      steps: new Map(groups.flat().map((step) => [step.name, step])),
      onCompensated: wrapped(one.onCompensated, 'onCompensated', 'end') as AnyDefinition['onCompensated'],
    };
    known.set(one, after);
    return after;
  };
  const root = wrap(definition);
  return [root, ...[...known.values()].filter((one) => one !== root)];
}
