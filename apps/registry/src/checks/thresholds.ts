import type { Status } from '../state/catalog.ts';
import type { CheckDefinition } from './definition.ts';

/** Keeps one result from moving a status, so that a check that flaps does not make its watchers work. */
export interface Thresholds {
  /** @returns the status from now on; undefined: as before */
  take(result: Status): Status | undefined;
}

export function createThresholds(definition: CheckDefinition): Thresholds {
  let successes = 0;
  let failures = 0;
  return {
    take: (result) => {
      if (result === 'critical') {
        successes = 0;
        failures += 1;
        if (failures >= definition.failuresBeforeCritical) return 'critical';
        return failures >= definition.failuresBeforeWarning ? 'warning' : undefined;
      }
      failures = 0;
      successes += 1;
      return successes >= definition.successBeforePassing ? result : undefined;
    },
  };
}
