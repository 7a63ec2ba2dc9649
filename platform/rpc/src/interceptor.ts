import type { DescMethodStreaming, DescMethodUnary, Message } from '@bufbuild/protobuf';
import type { Context } from '@souk/kernel';
import type { MethodRules } from '@souk/schema';

/** A call on its way to its handler: admitted, decoded and valid. */
export interface Call {
  readonly ctx: Context;
  /** `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly method: string;
  readonly desc: DescMethodUnary;
  readonly rules: MethodRules;
  readonly request: Message;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Goes on with a call and gives its response. @throws SoukError */
export type Next = (call: Call) => Promise<Message>;

/** Wraps every single call of a router. Built once per method: keep no state of a call outside the inner function. */
export type Interceptor = (next: Next) => Next;

/** A streaming call on its way to its handler: admitted; each request is decoded and checked when it is asked for. */
export interface StreamCall {
  readonly ctx: Context;
  /** `souk.orders.v1.OrderService/WatchOrder`. */
  readonly method: string;
  readonly desc: DescMethodStreaming;
  readonly rules: MethodRules;
  /** A server-streaming method has exactly one. */
  readonly requests: AsyncIterable<Message>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Goes on with a streaming call and gives its responses; a client-streaming method has exactly one. */
export type StreamNext = (call: StreamCall) => AsyncIterable<Message>;

/**
 * Wraps every streaming call of a router, whatever its kind. To see messages, it goes on with a call whose `requests` it has wrapped, and
 * wraps what comes back. Ending the iteration must end the one inside; an `async function*` with `for await` does.
 */
export type StreamInterceptor = (next: StreamNext) => StreamNext;

/** The first of the list is the outermost. */
export const chain = <TNext>(interceptors: readonly ((next: TNext) => TNext)[], last: TNext): TNext =>
  interceptors.reduceRight((next, interceptor) => interceptor(next), last);
