/** One line of a metric, or the lines of one histogram. */
export interface Series {
  /** Ready to be written between braces: `service="orders",route="/x"`. */
  readonly labels: string;
  /** The value; the sum for a histogram. */
  value: number;
  /** Observations of a histogram. */
  count: number;
  /** Observations by bucket, not cumulated. */
  readonly buckets: number[] | undefined;
}

export interface SeriesTable {
  /** The series with these labels, made when it is new; the overflow series when the table is full. */
  at(labels: Readonly<Record<string, string>>): Series;
  all(): Iterable<Series>;
}

export interface SeriesTableOptions {
  readonly labels: readonly string[];
  readonly constant: Readonly<Record<string, string>>;
  /** 0 for anything but a histogram. */
  readonly bucketCount: number;
  readonly maxSeries: number;
  /** Called once, when the table is full. */
  readonly onOverflow: () => void;
}

type Level = Map<string, Level | Series>;

/** Series by their label values: a map per label, so that finding one builds no key. */
export function createSeriesTable(options: SeriesTableOptions): SeriesTable {
  const { labels, constant, bucketCount, maxSeries } = options;
  const last = labels.length - 1;
  const root: Level = new Map();
  const series: Series[] = [];
  let overflow: Series | undefined;

  const make = (pairs: ReadonlyArray<readonly [string, string]>): Series => {
    const made: Series = {
      labels: [...Object.entries(constant), ...pairs]
        .map(([name, value]) => `${name}="${escapeValue(value)}"`)
        .join(','),
      value: 0,
      count: 0,
      buckets: bucketCount === 0 ? undefined : new Array<number>(bucketCount).fill(0),
    };
    series.push(made);
    return made;
  };

  const overflowSeries = (): Series => {
    if (overflow === undefined) {
      overflow = make([['otel_metric_overflow', 'true']]);
      options.onOverflow();
    }
    return overflow;
  };

  const single = labels.length === 0 ? make([]) : undefined;

  return {
    at: (given) => {
      if (single !== undefined) return single;
      let level = root;
      for (let index = 0; index < last; index += 1) {
        const value = given[labels[index] as string] as string;
        let next = level.get(value) as Level | undefined;
        if (next === undefined) {
          if (series.length >= maxSeries) return overflowSeries();
          next = new Map();
          level.set(value, next);
        }
        level = next;
      }
      const value = given[labels[last] as string] as string;
      const known = level.get(value) as Series | undefined;
      if (known !== undefined) return known;
      if (series.length >= maxSeries) return overflowSeries();
      const made = make(labels.map((label) => [label, String(given[label])]));
      level.set(value, made);
      return made;
    },
    all: () => series,
  };
}

const escapeValue = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
