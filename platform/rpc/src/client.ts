import type { DescMethodUnary, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { Context } from '@souk/kernel';

export interface CallOptions {
  /** Milliseconds this call may take; never longer than the context's deadline. */
  readonly timeoutMs?: number;
  /** Replaces the context's key. */
  readonly idempotencyKey?: string;
}

/** A typed client: `orders.placeOrder(ctx, { items })`. Fields are the contract's, errors are SoukErrors, wherever the service runs. */
export type Client<TService extends DescService> = {
  readonly [K in keyof TService['method']]: TService['method'][K] extends DescMethodUnary<infer TInput, infer TOutput>
    ? (ctx: Context, request: MessageInitShape<TInput>, options?: CallOptions) => Promise<MessageShape<TOutput>>
    : never;
};
