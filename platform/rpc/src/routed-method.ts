import type { DescMethodUnary, DescService, Message } from '@bufbuild/protobuf';
import type { Context, Logger } from '@souk/kernel';
import type { JsonDecoder, JsonEncoder, MethodRules, Validator } from '@souk/schema';
import type { Telemetry } from '@souk/telemetry';
import type { AnswerMemory } from './answer-memory.ts';
import type { CallMetrics } from './call-metrics.ts';
import type { Next } from './interceptor.ts';

/** A method that is served here, with all that can be worked out before its first call. */
export interface RoutedMethod {
  /** `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly name: string;
  readonly service: DescService;
  readonly desc: DescMethodUnary;
  readonly rules: MethodRules;
  /** Local name of the request field that holds the owner's id. */
  readonly ownerField: string | undefined;
  readonly validate: Validator;
  readonly validateResponse: Validator | undefined;
  readonly decodeJson: JsonDecoder;
  readonly encodeJson: JsonEncoder;
  /** For methods without side effects. */
  readonly answers: AnswerMemory | undefined;
  readonly telemetry: Telemetry;
  /** Names the method in each line. */
  readonly log: Logger;
  readonly metrics: CallMetrics;
  /** Interceptors around the handler. */
  readonly run: Next;
}

export type AnyHandler = (ctx: Context, request: Message) => Promise<object>;
