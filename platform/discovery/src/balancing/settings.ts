// How calls to one target are spread. Every field can be left out of a settings file; the defaults are in parse-balancing.ts, with these words.

/**
 * - `leastRequest`: the instance with the fewest calls in flight per weight. Good where calls differ and instances do not.
 * - `peakEwma`: the instance with the least latency times calls in flight. Good where instances differ.
 * - `roundRobin`: in turn, spaced by weight. - `smoothWeighted`: in turn, exact over every sum of weights.
 * - `random`: by weight, without memory. - `rendezvous`, `ringHash`, `maglev`: the same key goes to the same instance.
 */
export const ALGORITHMS = [
  'leastRequest',
  'peakEwma',
  'roundRobin',
  'smoothWeighted',
  'random',
  'rendezvous',
  'ringHash',
  'maglev',
] as const;
export type AlgorithmName = (typeof ALGORITHMS)[number];

/** Where the key of a call comes from: what sticky assignment and hashing go by. */
export const KEY_SOURCES = ['none', 'subject', 'address', 'header', 'cookie'] as const;
export type KeySource = (typeof KEY_SOURCES)[number];

export interface KeySettings {
  /** `subject`: who calls. `address`: from where. `header`, `cookie`: the one called `name`. @default 'subject' */
  readonly from: KeySource;
  /** Of the header or cookie, without regard to case for headers. @default '' */
  readonly name: string;
}

export interface LeastRequestSettings {
  /**
   * Up to so many instances all are looked at, beyond it two that are drawn. Two find nearly as good a one at a cost that does not grow, and
   * many callers with the same old picture do not run to the same instance. 0: always two. @default 10
   */
  readonly fullScanUpTo: number;
  /**
   * Calls in flight that an instance counts more while its calls take more than twice as long as those of another. More: fewer calls end up on a
   * slow instance. 0: latencies do not matter. @default 3
   */
  readonly handicap: number;
}

export interface PeakEwmaSettings {
  /** Milliseconds in which what is known of a latency fades to 37 %. Longer: steadier, and a slow instance is avoided longer. @default 10000 */
  readonly tauMs: number;
  /** Milliseconds that a failed call counts at least: or an instance that fails fast would win. @default 1000 */
  readonly errorMs: number;
}

export interface RingHashSettings {
  /** Points on the ring per unit of weight. More: evener shares, longer rebuilds. Fixed per instance, so that no others move. @default 160 */
  readonly pointsPerWeight: number;
  /** Most points on a ring; beyond, all have fewer in proportion, and keys move when that begins. @default 500000 */
  readonly maxPoints: number;
}

export interface MaglevSettings {
  /** Entries of the table: a prime, far more than instances. More: evener shares, longer rebuilds. @default 65537 */
  readonly tableSize: number;
}

export interface BoundedLoadSettings {
  /**
   * A hash algorithm goes past instances that have this many times their share of the calls in flight. Nearer to 1: evener, and more keys away
   * from their instance. 0: keys never leave it for that reason. @default 1.25
   */
  readonly factor: number;
}

export interface SlowStartSettings {
  /** Milliseconds in which the weight of an instance that is new or well again grows to its own. 0: at once. @default 30000 */
  readonly windowMs: number;
  /** Share of the weight at first. @default 0.1 */
  readonly minShare: number;
  /** How the weight grows: 1 evenly, above 1 fast at first. @default 1 */
  readonly aggression: number;
}

export interface SuccessRateSettings {
  /** @default true */
  readonly enabled: boolean;
  /** Instances with enough calls, below which nobody is judged. @default 5 */
  readonly minInstances: number;
  /** Calls of an instance in an interval, below which it is not judged. @default 100 */
  readonly minCalls: number;
  /** Ejects below mean - stdevFactor * standard deviation. @default 1.9 */
  readonly stdevFactor: number;
  /** And only so far below the mean, in percentage points: or one error among ten faultless instances would eject. @default 5 */
  readonly minGapPercent: number;
}

export interface FailurePercentageSettings {
  /** @default false */
  readonly enabled: boolean;
  /** Ejects at this percentage of failures in an interval. @default 85 */
  readonly percent: number;
  /** @default 5 */
  readonly minInstances: number;
  /** @default 50 */
  readonly minCalls: number;
}

export interface LatencySettings {
  /** Off by default: where instances do different work, a slow one is not a sick one. @default false */
  readonly enabled: boolean;
  /** Ejects an instance whose latency is more than so many times the median of all. @default 3 */
  readonly factor: number;
  /** Of the latencies of an interval: which one is compared. @default 0.9 */
  readonly quantile: number;
  /** Milliseconds below which nobody is slow. @default 20 */
  readonly minMs: number;
  /** @default 3 */
  readonly minInstances: number;
  /** @default 20 */
  readonly minCalls: number;
}

export interface OutlierSettings {
  /** @default true */
  readonly enabled: boolean;
  /** Milliseconds between two looks at rates and latencies. @default 10000 */
  readonly intervalMs: number;
  /** Failed answers in a row after which an instance is ejected. 0: never. @default 5 */
  readonly consecutiveErrors: number;
  /** Calls in a row without any answer, counted apart from failed ones. 0: never. @default 5 */
  readonly consecutiveUnreachable: number;
  /** Milliseconds that the first ejection lasts; the n-th lasts n times as long. @default 30000 */
  readonly ejectionMs: number;
  /** Longest ejection in milliseconds. @default 300000 */
  readonly maxEjectionMs: number;
  /** Milliseconds, drawn from 0 to this, that an ejection lasts longer: or callers would come back together. @default 1000 */
  readonly jitterMs: number;
  /** Of the ready instances, so many are ejected at most, but always one. @default 10 */
  readonly maxEjectedPercent: number;
  readonly successRate: SuccessRateSettings;
  readonly failurePercentage: FailurePercentageSettings;
  readonly latency: LatencySettings;
}

export interface ZoneSettings {
  /** Whether instances of the own zone are preferred. @default true */
  readonly prefer: boolean;
  /** Healthy instances below which zones are ignored: few would be unevenly spread. @default 6 */
  readonly minInstances: number;
}

export interface SubsetSettings {
  /** Only instances with this metadata take part. @default {} */
  readonly metadata: Readonly<Record<string, string>>;
  /** What is asked when there is none: `all` instances, counted, or `none`. @default 'all' */
  readonly otherwise: 'all' | 'none';
  /**
   * So many instances are used by one caller, chosen so that callers together use all evenly. 0: all are. Take it where callers times instances
   * is too many connections, and callers are many: one caller alone would leave the rest idle. @default 0
   */
  readonly size: number;
  /** Only when there are more instances than this. @default 100 */
  readonly above: number;
}

export interface CanarySettings {
  readonly version: string;
  /** Percentage of the keys, to two decimals. */
  readonly percent: number;
}

export interface SplitSettings {
  /** Salt of the hash: another name is another draw. @default 'default' */
  readonly experiment: string;
  /** Version that everybody else gets. Empty: any that is not a canary. @default '' */
  readonly stable: string;
  /** In order: who is in the first stays there when its percentage grows. @default [] */
  readonly canaries: readonly CanarySettings[];
}

export interface MirrorSettings {
  /** Version that gets copies. Empty: nobody. Name the stable version in `split`, or the mirror takes real calls too. @default '' */
  readonly version: string;
  /** Percentage of the calls that are copied. @default 100 */
  readonly percent: number;
}

export interface BalancingSettings {
  readonly algorithm: AlgorithmName;
  readonly key: KeySettings;
  readonly leastRequest: LeastRequestSettings;
  readonly peakEwma: PeakEwmaSettings;
  readonly ringHash: RingHashSettings;
  readonly maglev: MaglevSettings;
  readonly boundedLoad: BoundedLoadSettings;
  readonly slowStart: SlowStartSettings;
  readonly outlier: OutlierSettings;
  /**
   * When a smaller percentage of the instances than this is healthy, health is ignored: the others would break under the load, and perhaps it
   * is the judge that is sick. 0: never; then no call goes out when nobody is healthy. @default 50
   */
  readonly panicPercent: number;
  readonly zone: ZoneSettings;
  readonly subset: SubsetSettings;
  readonly split: SplitSettings;
  readonly mirror: MirrorSettings;
  /** Calls of this caller that one instance has at a time; on HTTP/1.1 also connections. 0: no limit. @default 0 */
  readonly maxInFlight: number;
}
