import type { Command, Given } from '../../cli/command.ts';
import { text } from '../operator.ts';

/** Options that choose dead letters. */
export const filterOptions = {
  service: { type: 'string' },
  type: { type: 'string' },
  error: { type: 'string' },
  group: { type: 'string' },
  key: { type: 'string' },
  'older-than': { type: 'string' },
} as const;

export const filterHelp: Command['help'] = [
  ['--service <service>', 'Only of this service.'],
  ['--type <type>', 'Only of this type of event, such as souk.orders.order-placed.v1.'],
  ['--error <reason>', 'Only of this reason, such as ORDERS_NOT_FOUND.'],
  ['--group <fingerprint>', 'Only of this group, as "souk dlq groups" names it.'],
  ['--key <key>', 'Only about this.'],
  ['--older-than <time>', 'Only those that died longer ago than this: 30s, 10m, 2h, 7d.'],
];

/** The filter as the contract names its fields; what was not given is undefined. */
export const filterOf = (given: Given) => ({
  service: text(given, 'service'),
  type: text(given, 'type'),
  reason: text(given, 'error'),
  fingerprint: text(given, 'group'),
  key: text(given, 'key'),
  older_than: text(given, 'older-than'),
});
