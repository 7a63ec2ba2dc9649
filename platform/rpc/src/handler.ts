import type { DescMethodUnary, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { Context } from '@souk/kernel';

/**
 * What a service does for one method. The request has passed the contract's rules and the caller the method's access rules.
 * An answer may be given again, the very same object: a method without side effects then encodes it once. Such an object must not
 * be changed after it was given.
 */
export type Handler<TInput extends DescMethodUnary['input'], TOutput extends DescMethodUnary['output']> = (
  ctx: Context,
  request: MessageShape<TInput>,
) => Promise<MessageInitShape<TOutput>>;

/** One handler for each method of a service. */
export type Handlers<TService extends DescService> = {
  readonly [K in keyof TService['method']]: TService['method'][K] extends DescMethodUnary<infer TInput, infer TOutput>
    ? Handler<TInput, TOutput>
    : never;
};
