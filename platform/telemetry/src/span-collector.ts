import type { SpanRecord, SpanSink } from './span-record.ts';

/** Keeps what ends, in memory, for tests and small tools. */
export interface SpanCollector extends SpanSink {
  readonly spans: readonly SpanRecord[];
  named(name: string): readonly SpanRecord[];
  clear(): void;
}

/** @param capacity Most spans kept; the oldest go first. */
export function collectSpans(capacity = 10_000): SpanCollector {
  const spans: SpanRecord[] = [];
  return {
    spans,
    named: (name) => spans.filter((span) => span.name === name),
    clear: () => void spans.splice(0),
    take: (span) => {
      if (spans.length === capacity) spans.shift();
      spans.push(span);
    },
  };
}
