import type { Runtime } from './runtime.ts';

/** Position of a call in a distributed trace (W3C Trace Context). */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the span that is the parent of what happens next. */
  readonly spanId: string;
  readonly sampled: boolean;
  readonly tracestate?: string | undefined;
  /** True while no span has begun: the first one has no parent, and decides whether the trace is kept. */
  readonly root?: boolean | undefined;
}

/** A trace that begins here. */
export function newTrace(runtime: Runtime, sampled: boolean): TraceContext {
  const digits = hex(runtime.random.bytes(24));
  return { traceId: digits.slice(0, 32), spanId: digits.slice(32), sampled, root: true };
}

const hex = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('hex');
