import type { DescMethodUnary, Message } from '@bufbuild/protobuf';
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

/** Wraps every call of a router. Built once per method: keep no state of a call outside the inner function. */
export type Interceptor = (next: Next) => Next;

/** The first of the list is the outermost. */
export const chain = (interceptors: readonly Interceptor[], last: Next): Next =>
  interceptors.reduceRight((next, interceptor) => interceptor(next), last);
