import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type Breaker,
  type BreakerReport,
  Breaker_State as BreakerState,
  type Policy,
  type PolicyDetails,
  type PolicySlots,
} from '@souk/contracts/admin/v1/resilience';
import { fit, type Piece, printable } from './line.ts';
import type { Palette } from './palette.ts';
import { brief, changeWords, overrideWords, percent, stateOf, statePaint } from './policy-words.ts';
import { dateAndTime, span } from './span.ts';

/** One policy: how it is doing, what it is set to, who changed it, and what can be done. */
export function drawPolicy(
  details: PolicyDetails,
  { width, nowMs, palette }: { readonly width: number; readonly nowMs: number; readonly palette: Palette },
): string[] {
  const { policy, effective, changes, reports } = details;
  if (policy === undefined) return [];
  const { bold, dim, red, yellow } = palette;
  const { name, kind, breaker, troubles } = policy;
  const line = (...pieces: readonly Piece[]): string => fit(pieces, width);
  const facts = factsOf(policy, nowMs).filter(([, words]) => words !== '');
  const state: Piece = breaker === undefined ? '' : [`  ${stateOf(breaker)}`, statePaint(breaker.state, palette)];
  return [
    line([name, bold], `  ${kind}`, state),
    ...troubles.map((trouble) => line(['✗ ', red], trouble)),
    ...(breaker?.overrides ?? []).map((override) => line('  ', [overrideWords(override), yellow])),
    '',
    ...facts.map(([fact, words]) => line([fact.padEnd(FACT), dim], words)),
    '',
    bold('In force'),
    ...Object.entries(effective ?? {}).map(([layer, options]) =>
      line([`  ${layer}`.padEnd(FACT), dim], JSON.stringify(options)),
    ),
    ...(changes.length === 0 ? [] : ['', bold('Changed at run time, the weakest first, until the process ends')]),
    ...changes.flatMap((change) => [
      line(`  ${changeWords(change)}`),
      ...(change.changedAt === undefined
        ? []
        : [line(['    ', dim], [dateAndTime(timestampMs(change.changedAt)), dim])]),
    ]),
    ...(reports.length === 0 ? [] : ['', bold('Instances')]),
    ...instancesOf(details).map((words) => line(`  ${words}`)),
    '',
    bold('What can be done'),
    ...possibilities(policy),
  ];
}

const FACT = 12;

function factsOf(policy: Policy, nowMs: number): [fact: string, words: string][] {
  const { breaker, slots, shed, throttled, retryBudget, latency, counts } = policy;
  const share = (value: number | undefined, words: string): string =>
    value === undefined ? '' : `${percent(value)} ${words}`;
  return [
    ['breaker', breaker === undefined ? '' : breakerWords(breaker, nowMs)],
    ['slots', slots === undefined ? '' : slotWords(slots)],
    ['shed', share(shed, 'of all calls refused at the door')],
    ['throttle', share(throttled, 'of all calls not sent')],
    ['retries', retryBudget === undefined ? '' : `${Math.floor(retryBudget)} would be granted now`],
    [
      'latency',
      latency === undefined
        ? 'nothing was called lately'
        : `p50 ${brief(latency.p50)}, p95 ${brief(latency.p95)}, p99 ${brief(latency.p99)}`,
    ],
    ['counts', countWords(counts)],
  ];
}

function breakerWords(
  { state, since, calls, failureRate, slowRate, openForSeconds, lastCause, advised }: Breaker,
  nowMs: number,
): string {
  const judged =
    failureRate === undefined
      ? `${calls} calls seen, too few to judge by`
      : `${calls} calls seen, ${percent(failureRate)} failed, ${percent(slowRate ?? 0)} slow`;
  return [
    `${BreakerState[state] ?? ''}${sinceWords(since, nowMs)}`,
    openForSeconds > 0 ? `refuses for ${span(openForSeconds * 1000)}` : '',
    judged,
    lastCause === '' ? '' : `last cause ${lastCause}`,
    advised ? 'others advise care' : '',
  ]
    .filter((words) => words !== '')
    .join('; ');
}

const sinceWords = (since: Timestamp | undefined, nowMs: number): string =>
  since === undefined ? '' : ` for ${span(nowMs - timestampMs(since))}`;

function slotWords({ limit, active, queued, zombies, overloaded }: PolicySlots): string {
  return [
    `${active} of ${limit} taken`,
    queued === 0 ? '' : `${queued} wait`,
    zombies === 0 ? '' : `${zombies} without a caller`,
    overloaded ? 'overloaded: who came last goes first' : '',
  ]
    .filter((words) => words !== '')
    .join(', ');
}

/** Those that are not nothing, as the metrics name them. */
function countWords(counts: Policy['counts']): string {
  const counted = Object.entries(counts).filter(([name, count]) => count > 0n || name === 'calls');
  return counted.map(([name, count]) => `${name} ${count}`).join(', ');
}

function instancesOf({ reports, acknowledged, missing }: PolicyDetails): string[] {
  if (reports.length === 0) return [];
  return [
    ...reports.map(reportWords),
    ...(acknowledged.length === 0 ? [] : [`act on the last order: ${acknowledged.join(', ')}`]),
    ...(missing.length === 0 ? [] : [`have not said so yet: ${missing.join(', ')}`]),
  ];
}

const reportWords = ({ instance, state, calls, failureRate }: BreakerReport): string =>
  `${instance}  ${BreakerState[state] ?? ''}, ${calls} calls${failureRate === undefined ? '' : `, ${percent(failureRate)} failed`}`;

/** Commands that are ready to be run. */
function possibilities({ name, breaker }: Policy): string[] {
  const commands = (breaker?.overrides ?? []).map(({ owner }) => `release ${name} --owner ${owner}`);
  if (breaker !== undefined && commands.length === 0) commands.push(`isolate ${name} --for 10m`);
  if (breaker?.state === BreakerState.OPEN || breaker?.state === BreakerState.HALF_OPEN) commands.push(`reset ${name}`);
  commands.push(`set ${name} timeout=500 --dry-run`);
  return commands.map((command) => printable(`  npx souk resilience ${command} --reason '…'`));
}
