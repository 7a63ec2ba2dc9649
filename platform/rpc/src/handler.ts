import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { Context } from '@souk/kernel';

/**
 * What a service does for one method. The request has passed the contract's rules and the caller the method's access rules.
 * An answer may be given again, the very same object: a method without side effects then encodes it once. Such an object must not
 * be changed after it was given.
 */
export type Handler<TInput extends DescMessage, TOutput extends DescMessage> = (
  ctx: Context,
  request: MessageShape<TInput>,
) => Promise<MessageInitShape<TOutput>>;

/**
 * Answers one request with many messages, usually as an `async function*`. The next message is asked for once the one before it could be
 * sent. When the caller leaves or the time is over, `ctx.signal` aborts and the iteration is ended by `return`: `finally` frees what it holds.
 */
export type ServerStreamHandler<TInput extends DescMessage, TOutput extends DescMessage> = (
  ctx: Context,
  request: MessageShape<TInput>,
) => AsyncIterable<MessageInitShape<TOutput>>;

/** Takes many messages, each checked like a single request, and answers once. A message is received when it is asked for. */
export type ClientStreamHandler<TInput extends DescMessage, TOutput extends DescMessage> = (
  ctx: Context,
  requests: AsyncIterable<MessageShape<TInput>>,
) => Promise<MessageInitShape<TOutput>>;

/** Takes and gives messages as it likes. */
export type BidiStreamHandler<TInput extends DescMessage, TOutput extends DescMessage> = (
  ctx: Context,
  requests: AsyncIterable<MessageShape<TInput>>,
) => AsyncIterable<MessageInitShape<TOutput>>;

/** The handler that a method needs. */
export type HandlerOf<TMethod extends DescMethod> =
  TMethod extends DescMethodUnary<infer TInput, infer TOutput>
    ? Handler<TInput, TOutput>
    : TMethod extends DescMethodServerStreaming<infer TInput, infer TOutput>
      ? ServerStreamHandler<TInput, TOutput>
      : TMethod extends DescMethodClientStreaming<infer TInput, infer TOutput>
        ? ClientStreamHandler<TInput, TOutput>
        : TMethod extends DescMethodBiDiStreaming<infer TInput, infer TOutput>
          ? BidiStreamHandler<TInput, TOutput>
          : never;

/** One handler for each method of a service. */
export type Handlers<TService extends DescService> = {
  readonly [K in keyof TService['method']]: HandlerOf<TService['method'][K]>;
};
