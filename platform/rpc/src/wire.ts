import type { Caller, TraceContext } from '@souk/kernel';

/** A unary call between encoding and transport: what every protocol is mapped to and from. */
export interface WireRequest {
  /** `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly method: string;
  /** Lower-case names. Carries `idempotency-key`, and what a protocol adds. */
  readonly headers: Readonly<Record<string, string>>;
  readonly codec: 'proto' | 'json';
  readonly body: Uint8Array;
  /** Milliseconds the caller still waits; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** Aborts when the caller gives up; the time is kept by `timeoutMs`. */
  readonly signal: AbortSignal | undefined;
  /** Where the call stands in its trace. A transport that leaves the process writes it into headers. */
  readonly trace?: TraceContext | undefined;
  /** Who calls. Proves nothing, so no transport carries it out of the process. */
  readonly caller?: Caller | undefined;
}

export interface WireResponse {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Carries a call to wherever the service runs. @throws SoukError */
export interface Transport {
  send(request: WireRequest): Promise<WireResponse>;
}
