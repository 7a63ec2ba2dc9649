import type { SpanRecord } from './span-record.ts';
import type { Attributes } from './tracer.ts';

const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
const STATUS_ERROR = 2;
/** Bits of `flags`: whether the parent is remote is known (8), sampled (0). Only sampled spans are exported. */
const SAMPLED = 1;

/** The body of an OTLP trace export in JSON: ids as hex, 64-bit integers as strings, a resource per service. */
export function encodeSpans(spans: readonly SpanRecord[], resource: Readonly<Record<string, string>>): string {
  const byService = Map.groupBy(spans, (span) => span.service);
  const resourceSpans = [...byService].map(([service, ofService]) => ({
    resource: { attributes: encodeAttributes({ 'service.name': service, ...resource }) },
    scopeSpans: [{ scope: { name: 'souk' }, spans: ofService.map(encodeSpan) }],
  }));
  return JSON.stringify({ resourceSpans });
}

const encodeSpan = (span: SpanRecord) => ({
  traceId: span.traceId,
  spanId: span.spanId,
  parentSpanId: span.parentSpanId,
  traceState: span.tracestate,
  flags: SAMPLED,
  name: span.name,
  kind: KINDS[span.kind],
  startTimeUnixNano: nanos(span.startMs),
  endTimeUnixNano: nanos(span.startMs + span.durationMs),
  attributes: encodeAttributes(span.attributes),
  events: span.events.map((event) => ({
    name: event.name,
    timeUnixNano: nanos(event.atMs),
    attributes: encodeAttributes(event.attributes),
  })),
  links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
  status: span.status === 'error' ? { code: STATUS_ERROR, message: span.statusMessage } : {},
});

/** Milliseconds with fractions as whole nanoseconds, which do not fit a number. */
function nanos(ms: number): string {
  const whole = Math.floor(ms);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)));
}

const encodeAttributes = (attributes: Attributes) =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: encodeValue(value) }));

function encodeValue(value: string | number | boolean) {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
