/** What a metric is. Names follow Prometheus: base units, `_seconds`, `_bytes`, `_total`. */
export interface MetricDefinition<TLabel extends string = string> {
  readonly name: string;
  readonly help: string;
  /** Names of labels. Values come from small closed sets: route templates, codes; never ids or raw paths. */
  readonly labels?: readonly TLabel[];
}

export interface HistogramDefinition<TLabel extends string = string> extends MetricDefinition<TLabel> {
  /** Upper bounds, ascending. Default: seconds from 5 ms to 10 s. */
  readonly buckets?: readonly number[];
}

export type Labels<TLabel extends string> = Readonly<Record<TLabel, string>>;

export interface Counter<TLabel extends string = string> {
  add(value: number, labels: Labels<TLabel>): void;
}

export interface Gauge<TLabel extends string = string> {
  set(value: number, labels: Labels<TLabel>): void;
  add(value: number, labels: Labels<TLabel>): void;
}

export interface Histogram<TLabel extends string = string> {
  observe(value: number, labels: Labels<TLabel>): void;
}

export interface Metrics {
  /** Same definition twice gives the same metric; same name with another definition throws TELEMETRY_METRIC_CONFLICT. */
  counter<TLabel extends string = never>(definition: MetricDefinition<TLabel>): Counter<TLabel>;
  gauge<TLabel extends string = never>(definition: MetricDefinition<TLabel>): Gauge<TLabel>;
  histogram<TLabel extends string = never>(definition: HistogramDefinition<TLabel>): Histogram<TLabel>;
  /** Calls `collect` before each exposition, for gauges that are read rather than kept. */
  onCollect(collect: () => void): void;
}
