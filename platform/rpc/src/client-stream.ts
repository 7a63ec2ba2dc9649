import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescService,
  type Message,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import { type Context, fromUnknown, kernelErrors, type SoukError } from '@souk/kernel';
import { methodRules } from '@souk/schema';
import type { Span } from '@souk/telemetry';
import { DONE, mapped, only } from './async-iterables.ts';
import type { CallOptions, ClientOptions } from './client.ts';
import { rpcErrors } from './errors.ts';
import { callEncoder, callerOf, decodeAnswer, headersOf } from './outgoing-call.ts';
import { createStreamMetrics, type StreamMetrics } from './stream-metrics.ts';
import type { Transport } from './wire.ts';

type Init = MessageInitShape<DescMessage>;

/** A streaming method of a client, whatever its kind. */
export type ClientStreamMethod = (
  ctx: Context,
  request: Init | AsyncIterable<Init>,
  options?: CallOptions,
) => AsyncIterable<Message> | Promise<Message>;

/**
 * A streaming call is sent once: only its caller knows where to go on. Its time is the contract's, or the context's, or as long as the
 * server lets it live.
 */
export function clientStreamMethod(
  service: DescService,
  desc: DescMethodStreaming,
  transport: Transport,
  options: ClientOptions,
): ClientStreamMethod {
  const name = `${service.typeName}/${desc.name}`;
  const rules = methodRules(desc);
  const metrics = createStreamMetrics(options.telemetry, 'client', name);
  const kind = desc.methodKind;

  const encode = callEncoder(desc, name);
  const toBody = (init: Init): Uint8Array => encode(create(desc.input, init));
  const open = (ctx: Context, messages: AsyncIterable<Uint8Array>, call: CallOptions): ClientStream =>
    new ClientStream(metrics, () => {
      if (transport.stream === undefined) throw rpcErrors.NO_STREAMS({ service: service.typeName });
      ctx.throwIfDone();
      const span = ctx.trace.sampled ? options.telemetry.tracer.start(ctx, name, { kind: 'client' }) : undefined;
      const limitMs = Math.min(call.timeoutMs ?? rules.timeoutMs ?? Number.POSITIVE_INFINITY, ctx.remainingMs());
      const bodies = transport.stream({
        method: name,
        kind,
        headers: headersOf(ctx, call.idempotencyKey ?? ctx.idempotencyKey),
        codec: 'proto',
        messages,
        timeoutMs: Number.isFinite(limitMs) ? limitMs : undefined,
        signal: ctx.cancellation,
        trace: span?.trace ?? ctx.trace,
        caller: callerOf(ctx, options.callerService),
      });
      return { span, responses: mapped(bodies, (body) => decodeAnswer(desc, service.typeName, body)) };
    });

  return (ctx, request, call = {}) => {
    const messages =
      kind === 'server_streaming'
        ? mapped(only(request as Init), toBody)
        : mapped(counted(request as AsyncIterable<Init>, metrics), toBody);
    const responses = open(ctx, messages, call);
    return kind === 'client_streaming' ? theAnswer(responses, service.typeName) : responses;
  };
}

const counted = <T>(source: AsyncIterable<T>, metrics: StreamMetrics): AsyncIterable<T> =>
  mapped(source, (value) => {
    metrics.sent();
    return value;
  });

/** @throws RPC_BAD_ANSWER unless there is exactly one */
async function theAnswer(responses: ClientStream, service: string): Promise<Message> {
  const first = await responses.next();
  if (first.done === true) throw rpcErrors.BAD_ANSWER({ service });
  const second = await responses.next();
  if (second.done === true) return first.value;
  await responses.return();
  throw rpcErrors.BAD_ANSWER({ service });
}

interface Opened {
  readonly span: Span | undefined;
  readonly responses: AsyncIterator<Message>;
}

/** The responses of one call. Nothing is sent before the first is asked for. */
class ClientStream implements AsyncIterableIterator<Message, undefined> {
  readonly #metrics: StreamMetrics;
  readonly #open: () => Opened;
  #opened: Opened | undefined;
  #isOver = false;

  constructor(metrics: StreamMetrics, open: () => Opened) {
    this.#metrics = metrics;
    this.#open = open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#isOver) return DONE;
    try {
      if (this.#opened === undefined) {
        this.#opened = this.#open();
        this.#metrics.opened();
      }
      const result = await this.#opened.responses.next();
      if (result.done !== true) {
        this.#metrics.received();
        return result;
      }
      this.#end(undefined);
      return DONE;
    } catch (thrown) {
      const error = fromUnknown(thrown);
      this.#end(error);
      throw error;
    }
  }

  /** Cancels the call, unless it is over. */
  async return(): Promise<IteratorResult<Message, undefined>> {
    const opened = this.#opened;
    const wasOver = this.#isOver;
    this.#end(kernelErrors.CANCELED());
    if (!wasOver) await opened?.responses.return?.();
    return DONE;
  }

  #end(error: SoukError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#opened === undefined) return;
    this.#metrics.closed(error?.code ?? 'ok');
    const { span } = this.#opened;
    if (error !== undefined) span?.fail(error);
    span?.end();
  }
}
