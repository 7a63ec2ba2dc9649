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
  return { traceId: hex(runtime, 16), spanId: hex(runtime, 8), sampled, root: true };
}

const hex = (runtime: Runtime, bytes: number): string => Buffer.from(runtime.random.bytes(bytes)).toString('hex');
