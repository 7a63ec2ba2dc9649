import { choice, decimal, flag, group, listOf, text, texts, together, whole } from './setting-rules.ts';
import {
  ALGORITHMS,
  type BalancingSettings,
  type CanarySettings,
  type FailurePercentageSettings,
  KEY_SOURCES,
  type KeySettings,
  type LatencySettings,
  type OutlierSettings,
  type SplitSettings,
  type SubsetSettings,
  type SuccessRateSettings,
} from './settings.ts';

const milliseconds = (fallback: number) => whole(fallback, { min: 1 });
const percent = (fallback: number | undefined) => decimal(fallback, { min: 0, max: 100 });

const key = together(
  group<KeySettings>({ from: choice('subject', KEY_SOURCES), name: text('') }),
  (at, { from, name }) =>
    (from === 'header' || from === 'cookie') && name === ''
      ? [`${at}.name`, `the name of the ${from} to stick by`, name]
      : undefined,
);

const outlier = together(
  group<OutlierSettings>({
    enabled: flag(true),
    intervalMs: milliseconds(10_000),
    consecutiveErrors: whole(5, { min: 0 }),
    consecutiveUnreachable: whole(5, { min: 0 }),
    ejectionMs: milliseconds(30_000),
    maxEjectionMs: milliseconds(300_000),
    jitterMs: whole(1000, { min: 0 }),
    maxEjectedPercent: percent(10),
    successRate: group<SuccessRateSettings>({
      enabled: flag(true),
      minInstances: whole(5, { min: 2 }),
      minCalls: whole(100, { min: 1 }),
      stdevFactor: decimal(1.9, { min: 0 }),
      minGapPercent: percent(5),
    }),
    failurePercentage: group<FailurePercentageSettings>({
      enabled: flag(false),
      percent: decimal(85, { above: 0, max: 100 }),
      minInstances: whole(5, { min: 1 }),
      minCalls: whole(50, { min: 1 }),
    }),
    latency: group<LatencySettings>({
      enabled: flag(false),
      factor: decimal(3, { above: 1 }),
      quantile: decimal(0.9, { above: 0, max: 1 }),
      minMs: decimal(20, { min: 0 }),
      minInstances: whole(3, { min: 2 }),
      minCalls: whole(20, { min: 1 }),
    }),
  }),
  (at, { ejectionMs, maxEjectionMs }) =>
    maxEjectionMs < ejectionMs
      ? [`${at}.maxEjectionMs`, `at least ejectionMs, which is ${ejectionMs}`, maxEjectionMs]
      : undefined,
);

const split = together(
  group<SplitSettings>({
    experiment: text('default'),
    stable: text(''),
    canaries: listOf(group<CanarySettings>({ version: text(undefined), percent: percent(undefined) })),
  }),
  (at, { canaries, stable }) => {
    const sum = canaries.reduce((all, one) => all + one.percent, 0);
    if (sum > 100) return [`${at}.canaries`, 'percentages that are 100 together at most', sum];
    const versions = [stable, ...canaries.map(({ version }) => version)];
    const twice = versions.findIndex((version, index) => versions.indexOf(version) !== index);
    return twice > 0
      ? [`${at}.canaries[${twice - 1}].version`, 'a version that is named once', versions[twice]]
      : undefined;
  },
);

const isPrime = (n: number): boolean => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return n > 1;
};

const balancing = group<BalancingSettings>({
  algorithm: choice('leastRequest', ALGORITHMS),
  key,
  leastRequest: group({ fullScanUpTo: whole(10, { min: 0, max: 1000 }), handicap: whole(3, { min: 0 }) }),
  peakEwma: group({ tauMs: milliseconds(10_000), errorMs: whole(1000, { min: 0 }) }),
  ringHash: group({
    pointsPerWeight: whole(160, { min: 1, max: 10_000 }),
    maxPoints: whole(500_000, { min: 1024, max: 8_388_608 }),
  }),
  maglev: together(group({ tableSize: whole(65_537, { min: 1009, max: 5_000_011 }) }), (at, { tableSize }) =>
    isPrime(tableSize) ? undefined : [`${at}.tableSize`, 'a prime, like 65537', tableSize],
  ),
  boundedLoad: group({ factor: decimal(1.25, { above: 1, max: 100, or: 0 }) }),
  slowStart: group({
    windowMs: whole(30_000, { min: 0 }),
    minShare: decimal(0.1, { above: 0, max: 1 }),
    aggression: decimal(1, { above: 0, max: 10 }),
  }),
  outlier,
  panicPercent: percent(50),
  zone: group({ prefer: flag(true), minInstances: whole(6, { min: 1 }) }),
  subset: group<SubsetSettings>({
    metadata: texts,
    otherwise: choice('all', ['all', 'none']),
    size: whole(0, { min: 0 }),
    above: whole(100, { min: 1 }),
  }),
  split,
  mirror: group({ version: text(''), percent: percent(100) }),
  maxInFlight: whole(0, { min: 0 }),
});

/**
 * Reads how calls to a target are balanced, as a settings file has it. What is left out has its default: an empty object is a whole answer.
 *
 * @throws DISCOVERY_INVALID_OPTION saying which setting is wrong and what is allowed, also for a name that does not exist
 */
export const parseBalancing = (input: unknown): BalancingSettings => balancing('', input);
