import type { AnyDefinition, AnyStep } from './definition.ts';
import { sagaErrors } from './errors.ts';

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * Order `(read | compensatable)* pivot? (read | retriable)*`, the pivot alone in its group, unique names, an undo exactly where it belongs.
 *
 * @throws SAGA_INVALID_DEFINITION
 */
export function checkDefinition(definition: Omit<AnyDefinition, 'onCompensated'>): void {
  const { name: saga, version, groups } = definition;
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
      const problem = problemOf(step);
      if (problem !== undefined) refuse(`step ${step.name}: ${problem}`);
      if (names.has(step.name)) refuse(`two steps are called ${step.name}`);
      names.add(step.name);
      if (step.kind === 'pivot' && group.length > 1) refuse(`the pivot ${step.name} must be alone in its group`);
      if (before !== undefined && (step.kind === 'pivot' || step.kind === 'compensatable')) {
        refuse(`step ${step.name} is ${step.kind}, but ${before} before it cannot be taken back`);
      }
      if (step.kind === 'pivot' || step.kind === 'retriable') committedBy ??= step.name;
    }
    const mixed =
      group.some((step) => step.kind === 'compensatable') && group.some((step) => step.kind === 'retriable');
    if (mixed) refuse(`${committedBy} cannot be taken back, but runs beside compensatable steps`);
  }
}

function problemOf(step: AnyStep): string | undefined {
  if (!NAME.test(step.name)) return 'the name is not in kebab-case';
  if (step.kind === 'compensatable' && step.undo === undefined) return 'a compensatable step needs an undo';
  if (step.kind !== 'compensatable' && step.undo !== undefined) return `a ${step.kind} step has no undo`;
  if (!(step.timeoutMs > 0)) return 'want a timeout above 0';
  const { attempts, firstDelayMs, maxDelayMs } = step.retry;
  if (!(attempts >= 1)) return `want at least one attempt, got ${attempts}`;
  if (!(firstDelayMs > 0) || !(maxDelayMs >= firstDelayMs)) return 'want 0 < retry.firstDelayMs <= retry.maxDelayMs';
  return undefined;
}
