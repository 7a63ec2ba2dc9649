import type { TraceContext } from '@souk/kernel';

const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const LONGEST_TRACESTATE = 512;

export const writeTraceparent = (trace: TraceContext): string =>
  `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`;

/** Reads W3C Trace Context; undefined when it is missing or malformed, as the standard demands. */
export function readTraceparent(header: string | undefined, tracestate?: string): TraceContext | undefined {
  if (header === undefined || header.length > 200) return undefined;
  const match = TRACEPARENT.exec(header);
  if (match === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', rest] = match;
  if (version === '00' && rest !== undefined) return undefined;
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  const kept = tracestate !== undefined && tracestate.length <= LONGEST_TRACESTATE;
  return kept ? { traceId, spanId, sampled, tracestate } : { traceId, spanId, sampled };
}
