import type { Caller, TraceContext } from '@souk/kernel';

/** What every call has between encoding and transport, whatever its kind. */
export interface WireCall {
  /** `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly method: string;
  /** Lower-case names. Carries `idempotency-key`, and what a protocol adds. */
  readonly headers: Readonly<Record<string, string>>;
  readonly codec: 'proto' | 'json';
  /** Milliseconds the caller still waits; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** Aborts when the caller gives up; the time is kept by `timeoutMs`. */
  readonly signal: AbortSignal | undefined;
  /** Where the call stands in its trace. A transport that leaves the process writes it into headers. */
  readonly trace?: TraceContext | undefined;
  /** Who calls. Proves nothing, so no transport carries it out of the process. */
  readonly caller?: Caller | undefined;
  /** Whether it may be sent again when it is not known what came of it. @default false */
  readonly repeatable?: boolean | undefined;
  /**
   * Ids of instances that this call has been sent to, the same set for all its attempts: added to and avoided by who chooses instances.
   * @default none
   */
  readonly tried?: Set<string> | undefined;
}

/** A unary call between encoding and transport: what every protocol is mapped to and from. */
export interface WireRequest extends WireCall {
  readonly body: Uint8Array;
}

export interface WireResponse {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A streaming call between encoding and transport. */
export interface WireStreamRequest extends WireCall {
  readonly kind: 'server_streaming' | 'client_streaming' | 'bidi_streaming';
  /** Encoded requests: exactly one for `server_streaming`. The next is asked for when the one before could be sent. */
  readonly messages: AsyncIterable<Uint8Array>;
}

/** Headers that a call hands on to every further call: what its caller wishes of the choice of instances. */
export const VERSION_HEADER = 'x-souk-version';
export const AFFINITY_HEADER = 'x-souk-affinity';
/** Marks a copy of a call: nobody waits for its answer. */
export const MIRROR_HEADER = 'x-souk-mirror';

/** Carries a call to wherever the service runs. @throws SoukError */
export interface Transport {
  send(request: WireRequest): Promise<WireResponse>;
  /**
   * Carries a streaming call. Begins when the first response is asked for; a response is received no sooner than it is asked for, but for
   * a bounded read-ahead. Ending the iteration early cancels the call. The iteration of `messages` is ended in any case.
   * Undefined: the transport carries single calls only.
   * @returns the encoded responses: exactly one for `client_streaming`. The iteration fails with a SoukError
   */
  stream?(request: WireStreamRequest): AsyncIterable<Uint8Array>;
}

/** Carries calls to one instance. */
export interface InstanceTransport extends Transport {
  /** Calls under way end, idle connections are closed at once; no call may follow. Never rejects. */
  close(): Promise<void>;
}
