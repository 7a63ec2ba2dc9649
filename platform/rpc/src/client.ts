import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { type Context, fromUnknown, kernelErrors, type Runtime } from '@souk/kernel';
import { type Attempt, createPolicyRegistry, type PolicyRegistry } from '@souk/resilience';
import { methodRules } from '@souk/schema';
import type { Span, Telemetry } from '@souk/telemetry';
import { createCallMetrics } from './call-metrics.ts';
import { clientStreamMethod } from './client-stream.ts';
import { callEncoder, callerOf, decodeAnswer, headersOf } from './outgoing-call.ts';
import type { Transport } from './wire.ts';

export interface CallOptions {
  /** Milliseconds this call may take; never longer than the context's deadline. */
  readonly timeoutMs?: number;
  /** Replaces the context's key. */
  readonly idempotencyKey?: string;
}

/**
 * How a method is called. A stream's responses are iterated: nothing is sent before the first is asked for, and leaving the loop cancels the
 * call. The requests of a stream are taken as fast as the other side reads them.
 */
export type ClientMethod<TMethod extends DescMethod> =
  TMethod extends DescMethodUnary<infer TInput, infer TOutput>
    ? (ctx: Context, request: MessageInitShape<TInput>, options?: CallOptions) => Promise<MessageShape<TOutput>>
    : TMethod extends DescMethodServerStreaming<infer TInput, infer TOutput>
      ? (ctx: Context, request: MessageInitShape<TInput>, options?: CallOptions) => AsyncIterable<MessageShape<TOutput>>
      : TMethod extends DescMethodClientStreaming<infer TInput, infer TOutput>
        ? (
            ctx: Context,
            requests: AsyncIterable<MessageInitShape<TInput>>,
            options?: CallOptions,
          ) => Promise<MessageShape<TOutput>>
        : TMethod extends DescMethodBiDiStreaming<infer TInput, infer TOutput>
          ? (
              ctx: Context,
              requests: AsyncIterable<MessageInitShape<TInput>>,
              options?: CallOptions,
            ) => AsyncIterable<MessageShape<TOutput>>
          : never;

/** A typed client: `orders.placeOrder(ctx, { items })`. Fields are the contract's, errors are SoukErrors, wherever the service runs. */
export type Client<TService extends DescService> = {
  readonly [K in keyof TService['method']]: ClientMethod<TService['method'][K]>;
};

export interface ClientOptions {
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /** The service that calls, as the other side sees it. */
  readonly callerService?: string;
  /** Milliseconds a call may take where neither the call nor the contract says. @default 10000 */
  readonly defaultTimeoutMs?: number;
  /** What calls go through: each method has a policy of its own, `rpc:orders.PlaceOrder`. @default one for this client alone */
  readonly policies?: PolicyRegistry;
}

const NO_OPTIONS: CallOptions = Object.freeze({});
const DEFAULT_TIMEOUT_MS = 10_000;

type Method = (ctx: Context, request: MessageInitShape<DescMessage>, options?: CallOptions) => Promise<Message>;

/**
 * Makes a client of every method of a service. Every single call goes through the policy of its method; streams do not. Calls that the contract marks as
 * repeatable, or that carry an idempotency key which the method honours, are repeated when that can help; all others only when the
 * error says that nothing has happened.
 */
export function createClient<TService extends DescService>(
  service: TService,
  transport: Transport,
  options: ClientOptions,
): Client<TService> {
  const policies = options.policies ?? createPolicyRegistry({ runtime: options.runtime });
  const own = { ...options, policies };
  const entries = service.methods.map((method) => [
    method.localName,
    isUnary(method)
      ? clientMethod(service, method, transport, own)
      : clientStreamMethod(service, method as DescMethodStreaming, transport, own),
  ]);
  return Object.freeze(Object.fromEntries(entries)) as unknown as Client<TService>;
}

/** `rpc:orders.PlaceOrder`: the package's own name without its root and version, and the method. */
function policyName(service: DescService, method: DescMethod): string {
  const parts = service.typeName.split('.').slice(0, -1);
  const named = parts.filter((part, index) => !/^v\d/.test(part) && (index > 0 || parts.length === 1));
  return `rpc:${named.join('.') || service.name}.${method.name}`;
}

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === 'unary';

function clientMethod(
  service: DescService,
  desc: DescMethodUnary,
  transport: Transport,
  options: ClientOptions & { readonly policies: PolicyRegistry },
): Method {
  const { runtime, telemetry } = options;
  const method = `${service.typeName}/${desc.name}`;
  const rules = methodRules(desc);
  const encode = callEncoder(desc, method);
  const metrics = createCallMetrics(telemetry, 'client', method);
  const policy = options.policies.policy(policyName(service, desc), 'call');
  const defaultTimeoutMs = rules.timeoutMs ?? options.defaultTimeoutMs ?? DEFAULT_TIMEOUT_MS;

  const send = (
    ctx: Context,
    span: Span | undefined,
    request: Message,
    call: CallOptions,
    startedMs: number,
  ): Promise<Message> => {
    const trace = span?.trace ?? ctx.trace;
    const key = call.idempotencyKey ?? ctx.idempotencyKey;
    const headers = headersOf(ctx, key);
    const caller = callerOf(ctx, options.callerService);
    // The transport keeps the deadline, so it need not hear of it from the context.
    const signal = ctx.cancellation;
    const body = encode(request);
    const deadlineMs = Math.min(startedMs + (call.timeoutMs ?? defaultTimeoutMs), ctx.deadlineMs);
    const idempotent = rules.noSideEffects || rules.idempotency === 'natural' || (rules.idempotency === 'key' && !!key);
    const tried = new Set<string>();
    const hedged = policy.effective.hedge !== undefined;
    const attempt = async (each: Attempt): Promise<Message> => {
      const timeoutMs = each.remainingMs();
      if (timeoutMs <= 0) throw kernelErrors.DEADLINE_EXCEEDED();
      const { number } = each;
      if (number > 1)
        span?.event('attempt', { 'souk.attempt': number, 'souk.delay_ms': Math.round(each.delaysMs.at(-1) ?? 0) });
      const response = await transport.send({
        method,
        headers: number > 1 ? { ...headers, 'x-souk-attempt': String(number) } : headers,
        codec: 'proto',
        body,
        timeoutMs,
        // The slower of two attempts is called off by its own signal.
        signal: hedged ? each.signal : signal,
        trace,
        caller,
        repeatable: idempotent,
        tried,
      });
      return decodeAnswer(desc, service.typeName, response.body);
    };
    return policy.run(attempt, { signal, deadlineMs, idempotent, criticality: rules.criticality });
  };

  return async (ctx, request, call = NO_OPTIONS) => {
    const startedMs = runtime.clock.monotonicMs();
    const span = ctx.trace.sampled ? telemetry.tracer.start(ctx, method, { kind: 'client' }) : undefined;
    let code = 'ok';
    try {
      return await send(ctx, span, create(desc.input, request), call, startedMs);
    } catch (thrown) {
      const error = fromUnknown(thrown);
      code = error.code;
      span?.fail(error);
      throw error;
    } finally {
      metrics.observe(code, (runtime.clock.monotonicMs() - startedMs) / 1000);
      span?.end();
    }
  };
}
