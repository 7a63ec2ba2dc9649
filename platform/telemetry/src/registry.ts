import { telemetryErrors } from './errors.ts';
import type { Counter, Gauge, Histogram, HistogramDefinition, Labels, MetricDefinition, Metrics } from './metrics.ts';
import { createSeriesTable, type Series, type SeriesTable } from './series-table.ts';

type Kind = 'counter' | 'gauge' | 'histogram';

/** All metrics of a process. */
export interface Registry {
  /** @param constant Labels that every series of this view carries, for example `{ service: 'orders' }`. */
  view(constant: Readonly<Record<string, string>>): Metrics;
  /** The text format of Prometheus, version 0.0.4. Never throws: a collector that fails is reported and the others go on. */
  exposition(): string;
}

export interface RegistryOptions {
  /** Most series of one metric of one service; what comes after them shares the overflow series. @default 2000 */
  readonly maxSeries?: number;
  /** Told once for each metric that reaches `maxSeries`. */
  readonly onOverflow?: (metric: string) => void;
  /** Told when a collector throws. */
  readonly onCollectError?: (error: unknown) => void;
}

/** Media type of {@link Registry.exposition}. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Seconds; the usual bounds for calls, fine where services answer and coarse where people give up. */
export const DEFAULT_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];

interface Family {
  readonly kind: Kind;
  readonly definition: HistogramDefinition;
  readonly labels: readonly string[];
  readonly buckets: readonly number[];
  /** A table for each view, by its constant labels. */
  readonly tables: Map<string, SeriesTable>;
}

const DEFAULT_MAX_SERIES = 2000;
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

export function createRegistry(options: RegistryOptions = {}): Registry {
  const families = new Map<string, Family>();
  const collectors: Array<() => void> = [];

  const familyOf = (kind: Kind, definition: HistogramDefinition): Family => {
    const buckets = kind === 'histogram' ? (definition.buckets ?? DEFAULT_BUCKETS) : [];
    const known = families.get(definition.name);
    if (known !== undefined) {
      const why = difference(known, kind, definition, buckets);
      if (why !== undefined) throw telemetryErrors.METRIC_CONFLICT({ metric: definition.name, why });
      return known;
    }
    check(kind, definition, buckets);
    const family: Family = { kind, definition, labels: definition.labels ?? [], buckets, tables: new Map() };
    families.set(definition.name, family);
    return family;
  };

  const tableOf = (family: Family, constant: Readonly<Record<string, string>>): SeriesTable => {
    const clash = family.labels.find((label) => label in constant);
    if (clash !== undefined) {
      throw telemetryErrors.METRIC_INVALID({ metric: family.definition.name, why: `label ${clash} is set already` });
    }
    const key = JSON.stringify(constant);
    let table = family.tables.get(key);
    if (table === undefined) {
      table = createSeriesTable({
        labels: family.labels,
        constant,
        bucketCount: family.buckets.length,
        maxSeries: options.maxSeries ?? DEFAULT_MAX_SERIES,
        onOverflow: () => options.onOverflow?.(family.definition.name),
      });
      family.tables.set(key, table);
    }
    return table;
  };

  return {
    view: (constant) => ({
      counter: (definition) => counterOn(definition.name, tableOf(familyOf('counter', definition), constant)),
      gauge: (definition) => gaugeOn(tableOf(familyOf('gauge', definition), constant)),
      histogram: (definition) => {
        const family = familyOf('histogram', definition);
        return histogramOn(tableOf(family, constant), family.buckets);
      },
      onCollect: (collect) => void collectors.push(collect),
    }),
    exposition: () => {
      for (const collect of collectors) {
        try {
          collect();
        } catch (error) {
          options.onCollectError?.(error);
        }
      }
      return [...families.values()].map(exposeFamily).join('');
    },
  };
}

type AnyLabels = Labels<string>;

function counterOn(metric: string, table: SeriesTable): Counter<string> {
  return {
    add: (value, labels: AnyLabels) => {
      if (!(value >= 0)) throw telemetryErrors.COUNTER_DECREASED({ metric, value });
      table.at(labels).value += value;
    },
  };
}

const gaugeOn = (table: SeriesTable): Gauge<string> => ({
  set: (value, labels: AnyLabels) => {
    table.at(labels).value = value;
  },
  add: (value, labels: AnyLabels) => {
    table.at(labels).value += value;
  },
});

const histogramOn = (table: SeriesTable, bounds: readonly number[]): Histogram<string> => ({
  observe: (value, labels: AnyLabels) => {
    const series = table.at(labels);
    series.value += value;
    series.count += 1;
    // Each value counts in its own bucket only; they are summed up when they are read.
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    if (bucket < bounds.length) (series.buckets as number[])[bucket] = ((series.buckets as number[])[bucket] ?? 0) + 1;
  },
});

function check(kind: Kind, { name, labels = [] }: MetricDefinition, buckets: readonly number[]): void {
  const refuse = (why: string) => telemetryErrors.METRIC_INVALID({ metric: name, why });
  if (!METRIC_NAME.test(name)) throw refuse('the name has characters that are not allowed');
  if (kind === 'counter' && !name.endsWith('_total')) throw refuse('the name of a counter ends in _total');
  const bad = labels.find((label) => !LABEL_NAME.test(label) || (kind === 'histogram' && label === 'le'));
  if (bad !== undefined) throw refuse(`label ${bad} is not allowed`);
  if (buckets.some((bound, index) => index > 0 && bound <= (buckets[index - 1] as number))) {
    throw refuse('bounds of buckets must ascend');
  }
}

function difference(known: Family, kind: Kind, next: MetricDefinition, buckets: readonly number[]): string | undefined {
  if (known.kind !== kind) return `${known.kind} and ${kind}`;
  if (known.definition.help !== next.help) return 'its help differs';
  if (known.labels.join() !== (next.labels ?? []).join()) return `labels [${known.labels}] and [${next.labels ?? []}]`;
  return known.buckets.join() === buckets.join() ? undefined : 'its buckets differ';
}

function exposeFamily({ kind, definition, buckets, tables }: Family): string {
  const { name, help } = definition;
  const lines = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${kind}`];
  for (const table of tables.values()) {
    for (const series of table.all()) {
      if (kind === 'histogram') exposeHistogram(lines, name, series, buckets);
      else lines.push(`${name}${braces(series.labels)} ${numeral(series.value)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function exposeHistogram(lines: string[], name: string, series: Series, bounds: readonly number[]): void {
  const { labels } = series;
  const comma = labels === '' ? '' : ',';
  let sum = 0;
  bounds.forEach((bound, index) => {
    sum += series.buckets?.[index] ?? 0;
    lines.push(`${name}_bucket{${labels}${comma}le="${numeral(bound)}"} ${sum}`);
  });
  lines.push(`${name}_bucket{${labels}${comma}le="+Inf"} ${series.count}`);
  lines.push(`${name}_sum${braces(labels)} ${numeral(series.value)}`);
  lines.push(`${name}_count${braces(labels)} ${series.count}`);
}

const braces = (labels: string): string => (labels === '' ? '' : `{${labels}}`);

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

function numeral(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
