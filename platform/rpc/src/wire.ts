/** A unary call between encoding and transport: what every protocol is mapped to and from. */
export interface WireRequest {
  /** `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly method: string;
  /** Lower-case names. Carries `traceparent`, `idempotency-key`, `authorization`, and on our own transports the caller. */
  readonly headers: Readonly<Record<string, string>>;
  readonly codec: 'proto' | 'json';
  readonly body: Uint8Array;
  /** Milliseconds the caller still waits; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface WireResponse {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Carries a call to wherever the service runs. @throws SoukError */
export interface Transport {
  send(request: WireRequest): Promise<WireResponse>;
}
