import { type Command, type Given, wholeNumber } from '../../cli/command.ts';
import { text } from '../operator.ts';

/** Options that choose sagas. */
export const filterOptions = {
  service: { type: 'string' },
  status: { type: 'string' },
  name: { type: 'string' },
  version: { type: 'string' },
  step: { type: 'string' },
  error: { type: 'string' },
  key: { type: 'string' },
  tenant: { type: 'string' },
  'older-than': { type: 'string' },
} as const;

export const filterHelp: Command['help'] = [
  ['--status <status>', 'READY, RUNNING, WAITING, PAUSED, STUCK, COMPLETED, COMPENSATED or TERMINATED.'],
  ['--service <service>', 'Only of this service.'],
  ['--name <saga>', 'Only of this definition, such as place-order.'],
  ['--version <n>', 'Only of this version of it.'],
  ['--step <step>', 'Only those at this step.'],
  ['--error <reason>', 'Only those that failed for this reason, such as PAYMENTS_HOLD_EXPIRED.'],
  ['--key <key>', 'Only those about this.'],
  ['--tenant <tenant>', 'Only those of this tenant.'],
  ['--older-than <time>', 'Only those that have not changed for this long: 30s, 10m, 2h, 7d.'],
];

/** The filter as the contract names its fields; what was not given is undefined. */
export function filterOf(given: Given, command: string) {
  return {
    service: text(given, 'service'),
    status: text(given, 'status')?.toUpperCase(),
    name: text(given, 'name'),
    definition_version: wholeNumber(given, 'version', command),
    step: text(given, 'step'),
    error_code: text(given, 'error'),
    key: text(given, 'key'),
    tenant: text(given, 'tenant'),
    older_than: text(given, 'older-than'),
  };
}
