import type { DescMethod, DescMethodStreaming, DescMethodUnary, DescService, Message } from '@bufbuild/protobuf';
import type { Context, Logger } from '@souk/kernel';
import type { BinaryEncoder, JsonDecoder, JsonEncoder, MethodRules, Validator } from '@souk/schema';
import type { Telemetry } from '@souk/telemetry';
import type { AnswerMemory } from './answer-memory.ts';
import type { CallMetrics } from './call-metrics.ts';
import type { Next, StreamNext } from './interceptor.ts';
import type { Gate, MethodLimits } from './method-limits.ts';
import type { StreamMetrics } from './stream-metrics.ts';

/** A method that is served here, with all that can be worked out before its first call. */
export interface ServedMethod {
  /** `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly name: string;
  readonly service: DescService;
  readonly desc: DescMethod;
  readonly rules: MethodRules;
  /** Local name of the request field that holds the owner's id. */
  readonly ownerField: string | undefined;
  readonly validate: Validator;
  readonly validateResponse: Validator | undefined;
  readonly decodeJson: JsonDecoder;
  readonly encodeJson: JsonEncoder;
  readonly encodeBinary: BinaryEncoder;
  readonly limits: MethodLimits;
  readonly telemetry: Telemetry;
  /** Names the method in each line. */
  readonly log: Logger;
}

/** A method of single calls. */
export interface RoutedMethod extends ServedMethod {
  readonly desc: DescMethodUnary;
  /** For methods without side effects. */
  readonly answers: AnswerMemory | undefined;
  readonly metrics: CallMetrics;
  /** Undefined: any number may be at work. */
  readonly gate: Gate | undefined;
  /** Interceptors around the handler. */
  readonly run: Next;
}

/** A method that takes or gives many messages. */
export interface RoutedStream extends ServedMethod {
  readonly desc: DescMethodStreaming;
  readonly metrics: StreamMetrics;
  readonly gate: Gate;
  /** Interceptors around the handler. */
  readonly run: StreamNext;
}

export type AnyHandler = (ctx: Context, request: Message) => Promise<object>;

/** What a streaming method's handler looks like to those who do not know its kind. */
export type AnyStreamHandler = (
  ctx: Context,
  request: Message | AsyncIterable<Message>,
) => AsyncIterable<object> | Promise<object>;
