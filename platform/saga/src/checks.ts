import type { AnyDefinition, AnyStep } from './definition.ts';
import { sagaErrors } from './errors.ts';

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

export const isKebabCase = (name: string): boolean => NAME.test(name);

/**
 * Order `(read | compensatable)* pivot? (read | retriable)*`, the pivot alone in its group, unique names, an undo exactly where it belongs.
 *
 * @throws SAGA_INVALID_DEFINITION
 */
export function checkDefinition(definition: Omit<AnyDefinition, 'onCompensated'>): void {
  const { name: saga, version, groups, deadlineMs } = definition;
  const refuse = (why: string): never => {
    throw sagaErrors.INVALID_DEFINITION({ saga, why });
  };
  if (!NAME.test(saga)) refuse('the name is not in kebab-case');
  if (!Number.isInteger(version) || version < 1) refuse(`want a version from 1, got ${version}`);
  if (groups.length === 0) refuse('there is no step');

  const names = new Set<string>();
  let committedBy: string | undefined;
  for (const group of groups) {
    if (group.length === 0) refuse('a parallel group has no step');
    const before = committedBy;
    for (const step of group) {
      const problem = problemOf(step) ?? (before === undefined ? lateWait(step, deadlineMs) : noReturn(step, before));
      if (problem !== undefined) refuse(`step ${step.name}: ${problem}`);
      if (names.has(step.name)) refuse(`two steps are called ${step.name}`);
      names.add(step.name);
      if (step.kind === 'pivot' && group.length > 1) refuse(`the pivot ${step.name} must be alone in its group`);
      if (step.kind === 'pivot' || step.kind === 'retriable') committedBy ??= step.name;
    }
    const mixed = group.some((step) => step.kind === 'compensatable' || turnsBack(step)) && before === undefined;
    if (mixed && group.some((step) => step.kind === 'retriable'))
      refuse(`${committedBy} cannot be taken back, but runs beside steps that can turn the saga back`);
  }
}

const turnsBack = ({ work }: AnyStep): boolean => work.is === 'wait' && work.onTimeout === 'turn';

function noReturn(step: AnyStep, committedBy: string): string | undefined {
  if (step.kind === 'pivot' || step.kind === 'compensatable')
    return `is ${step.kind}, but ${committedBy} before it cannot be taken back`;
  return turnsBack(step)
    ? `cannot turn the saga back, because ${committedBy} before it cannot be taken back`
    : undefined;
}

function lateWait({ work }: AnyStep, deadlineMs: number): string | undefined {
  const waitsMs =
    work.is === 'wait' ? work.timeoutMs : work.is === 'sleep' && typeof work.until === 'number' ? work.until : 0;
  if (waitsMs === Number.POSITIVE_INFINITY || waitsMs < deadlineMs) return undefined;
  return 'would wait longer than the deadline of the saga allows: give the saga a later one';
}

function problemOf(step: AnyStep): string | undefined {
  if (!NAME.test(step.name)) return 'the name is not in kebab-case';
  if (step.kind === 'compensatable' && step.undo === undefined) return 'a compensatable step needs an undo';
  if (step.kind !== 'compensatable' && step.undo !== undefined) return `a ${step.kind} step has no undo`;
  const { work } = step;
  if (work.is === 'run' && work.resolve !== undefined && step.kind !== 'pivot') return 'resolve is for the pivot only';
  if (work.is === 'wait' && !NAME.test(work.signal)) return `the signal '${work.signal}' is not in kebab-case`;
  if (!(step.timeoutMs > 0)) return 'want a timeout above 0';
  for (const [what, { attempts, firstDelayMs, maxDelayMs }] of [
    ['retry', step.retry],
    ['undoRetry', step.undoRetry],
  ] as const) {
    if (!(attempts >= 1)) return `want at least one attempt in ${what}, got ${attempts}`;
    if (!(firstDelayMs > 0) || !(maxDelayMs >= firstDelayMs))
      return `want 0 < ${what}.firstDelayMs <= ${what}.maxDelayMs`;
  }
  return undefined;
}
