import { discoveryErrors } from './errors.ts';

/** @throws DISCOVERY_INVALID_OPTION for the first that is not a number of at least `least` */
export function checkPositive(options: Readonly<Record<string, number>>, least = 1): void {
  for (const [option, found] of Object.entries(options)) {
    if (Number.isFinite(found) && found >= least) continue;
    throw discoveryErrors.INVALID_OPTION({ option, wanted: `a number of at least ${least}`, found });
  }
}
