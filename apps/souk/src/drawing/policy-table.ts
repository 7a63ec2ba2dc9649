import type { Policy, PolicyChange } from '@souk/contracts/admin/v1/resilience';
import { type Cell, columns } from './columns.ts';
import { fit } from './line.ts';
import type { Palette } from './palette.ts';
import { brief, changeWords, countOf, overrideWords, refusedOf, stateOf, statePaint } from './policy-words.ts';

interface Sheet {
  readonly width: number;
  readonly palette: Palette;
}

/** In words what is not well, then figures of all, those that are not well first, and what was changed at run time. */
export function policyOverview(
  policies: readonly Policy[],
  changes: readonly PolicyChange[],
  { width, palette }: Sheet,
): string[] {
  const { bold, dim, red, yellow } = palette;
  const troubled = policies.filter(isTroubled);
  const ordered = [...troubled, ...policies.filter((one) => !isTroubled(one))];
  const words = troubled.flatMap((one) => [
    fit([['✗ ', red], [one.name, bold], `: ${one.troubles.join('; ')}`], width),
    ...(one.breaker?.overrides ?? []).map((override) =>
      fit(
        [
          ['    ', dim],
          [overrideWords(override), yellow],
        ],
        width,
      ),
    ),
  ]);
  return [
    ...words,
    ...(words.length === 0 ? [] : ['']),
    ...columns(HEADINGS, rightAligned(ordered.map((one) => rowOf(one, palette))), { width, palette }),
    ...(changes.length === 0 ? [] : ['', bold('Changed at run time, until the process ends')]),
    ...changes.map((change) => fit([`  ${changeWords(change)}`], width)),
  ];
}

const isTroubled = ({ troubles }: Policy): boolean => troubles.length > 0;

/** What matters least stands last, for it is cut first. */
const HEADINGS = ['  POLICY', 'BREAKER', '   P50', '   P99', 'CALLS', 'FAILED', 'REFUSED', 'RETRIES', 'KIND'];
const FIGURES = { from: 2, to: 7 };

function rowOf(policy: Policy, palette: Palette): readonly Cell[] {
  const { name, kind, breaker, latency } = policy;
  const few = (count: number): string => (count === 0 ? '' : String(count));
  const failed = few(countOf(policy, 'ended_failure'));
  return [
    isTroubled(policy) ? [`✗ ${name}`, palette.red] : `  ${name}`,
    breaker === undefined ? '' : [stateOf(breaker), statePaint(breaker.state, palette)],
    latency === undefined ? '' : brief(latency.p50),
    latency === undefined ? '' : brief(latency.p99),
    String(countOf(policy, 'calls')),
    failed,
    few(refusedOf(policy)),
    few(countOf(policy, 'retries')),
    [kind, palette.dim],
  ];
}

/** Figures of one column end below each other. */
function rightAligned(rows: readonly (readonly Cell[])[]): (readonly Cell[])[] {
  const widths = HEADINGS.map((heading, at) => Math.max(heading.length, ...rows.map((row) => String(row[at]).length)));
  const isFigure = (at: number): boolean => at >= FIGURES.from && at <= FIGURES.to;
  return rows.map((row) => row.map((cell, at) => (isFigure(at) ? String(cell).padStart(widths[at] ?? 0) : cell)));
}
