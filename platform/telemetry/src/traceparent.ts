import type { TraceContext } from '@souk/kernel';

/** version 00 has exactly these four fields; later versions may append more. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** What nearly all are: version 00, and neither id all zeros. Cheaper than taking the fields out by the pattern above. */
const USUAL = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACESTATE_MAX_CHARACTERS = 512;
const TRACESTATE = /^[\x20-\x7e]+$/;

/**
 * Reads the header `traceparent` (W3C Trace Context), and `tracestate` with it. Only the sampled bit of the flags is used. For
 * headers of our own transports: what comes from the public internet must not decide which traces we keep, link to it instead.
 *
 * @returns undefined when the header is missing or malformed: a new trace begins then
 */
export function parseTraceparent(
  traceparent: string | undefined,
  tracestate?: string | undefined,
): TraceContext | undefined {
  if (traceparent === undefined) return undefined;
  if (tracestate === undefined && USUAL.test(traceparent)) {
    const sampled = (Number.parseInt(traceparent.slice(53), 16) & 1) === 1;
    return { traceId: traceparent.slice(3, 35), spanId: traceparent.slice(36, 52), sampled };
  }
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  const state = tracestate?.trim() ?? '';
  const usable = state !== '' && state.length <= TRACESTATE_MAX_CHARACTERS && TRACESTATE.test(state);
  return usable ? { traceId, spanId, sampled, tracestate: state } : { traceId, spanId, sampled };
}

/** The header `traceparent` for a call made from `trace`. Its `tracestate`, if any, goes along as it is. */
export const formatTraceparent = (trace: TraceContext): string =>
  `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`;
