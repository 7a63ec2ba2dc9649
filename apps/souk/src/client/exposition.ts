type Labels = Readonly<Record<string, string>>;

/** Figures out of a page of Prometheus metrics. */
export interface Exposition {
  /** Sum over all series of a metric that match; 0 when there is none. */
  sum(metric: string, matches?: (labels: Labels) => boolean): number;
  /** Sums by the value of one label. */
  by(metric: string, label: string): Readonly<Record<string, number>>;
}

const SERIES = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function readExposition(page: string): Exposition {
  const series = page.split('\n').flatMap((line) => {
    const [, metric = '', labels = '', value] = SERIES.exec(line) ?? [];
    if (value === undefined) return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, name, text]) => [name, text] as const);
    return [{ metric, labels: Object.fromEntries(pairs) as Labels, value: Number(value) }];
  });
  return {
    sum: (metric, matches = () => true) =>
      series.reduce((sum, one) => (one.metric === metric && matches(one.labels) ? sum + one.value : sum), 0),
    by: (metric, label) => {
      const sums: Record<string, number> = {};
      for (const one of series) {
        if (one.metric !== metric) continue;
        const key = one.labels[label] ?? '';
        sums[key] = (sums[key] ?? 0) + one.value;
      }
      return sums;
    },
  };
}
