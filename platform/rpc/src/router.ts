import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import { type Caller, kernelErrors, newTrace, type Runtime, rootContext, type TraceContext } from '@souk/kernel';
import {
  compileBinaryEncoder,
  compileJsonDecoder,
  compileJsonEncoder,
  compileValidator,
  type MethodRules,
  methodRules,
} from '@souk/schema';
import { parseTraceparent, type SpanOptions, type Telemetry } from '@souk/telemetry';
import { admit, admitOwner } from './access.ts';
import { createAnswerMemory, holdsBytes, type KeptAnswer } from './answer-memory.ts';
import { mapped } from './async-iterables.ts';
import { createCallMetrics } from './call-metrics.ts';
import { createDeadlines } from './deadline.ts';
import { rpcErrors } from './errors.ts';
import { logFailure } from './failure.ts';
import type { Handlers } from './handler.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import { chain, type Interceptor, type Next, type StreamInterceptor } from './interceptor.ts';
import { parseJsonBody } from './json-body.ts';
import { createGate, type MethodLimits } from './method-limits.ts';
import type { AnyHandler, AnyStreamHandler, RoutedMethod, RoutedStream, ServedMethod } from './routed-method.ts';
import { routingOf } from './routing.ts';
import { createServedStreams } from './served-streams.ts';
import { streamHandler } from './stream-method.ts';
import { createStreamMetrics } from './stream-metrics.ts';
import type { WireRequest, WireResponse, WireStreamRequest } from './wire.ts';

export interface RouterOptions {
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /** Around every handler of single calls; the first is the outermost. */
  readonly interceptors?: readonly Interceptor[];
  /** Around every handler of streams; the first is the outermost. */
  readonly streamInterceptors?: readonly StreamInterceptor[];
  /** Longest time a single call may take, in milliseconds, whatever its caller asks for. @default 30000 */
  readonly maxTimeoutMs?: number;
  /** Longest life of a stream, in milliseconds, where neither its limits nor its contract say. @default 3600000 */
  readonly maxStreamMs?: number;
  /** By method: `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly limits?: Readonly<Record<string, MethodLimits>>;
  /** Checks what handlers answer against the contract: for tests. @default false */
  readonly validateResponses?: boolean;
}

/** What a transport knows about a call besides its message. */
export interface CallFacts {
  readonly caller: Caller;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds the caller still waits. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Where the call stands in its trace. Default: what the headers say, or a new trace. */
  readonly trace?: TraceContext | undefined;
}

export interface AddOptions {
  /** What the service reports through. @default the router's */
  readonly telemetry?: Telemetry;
  /** For contracts of others, which know nothing of our options: what all their methods have in common. */
  readonly rules?: Partial<Pick<MethodRules, 'access' | 'criticality'>>;
}

/** Serves methods, whatever the protocol they arrive by. */
export interface Router {
  /**
   * Serves every method of a service.
   * @throws RPC_NO_HANDLER, RPC_SERVED_TWICE; SCHEMA_BAD_CONTRACT
   */
  add<TService extends DescService>(service: TService, handlers: Handlers<TService>, options?: AddOptions): void;
  /** Single calls, by name: `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly methods: ReadonlyMap<string, RoutedMethod>;
  /** Methods that take or give many messages, by name. */
  readonly streams: ReadonlyMap<string, RoutedStream>;
  /** Decodes, runs and encodes a call. @throws SoukError */
  handle(request: WireRequest, caller: Caller): Promise<WireResponse>;
  /** Runs a call of a protocol that decodes and encodes for itself. `decode` runs once the caller is admitted. @throws SoukError */
  invoke(method: RoutedMethod, facts: CallFacts, decode: () => Message): Promise<Message>;
  /** Decodes, runs and encodes a streaming call. The iteration fails with a SoukError. */
  handleStream(request: WireStreamRequest, caller: Caller): AsyncIterableIterator<Uint8Array>;
  /**
   * Runs a streaming call of a protocol that decodes and encodes for itself. It begins when its first response is asked for; the caller is
   * admitted before any request is. Whoever stops asking calls `return`. The iteration fails with a SoukError.
   */
  open(
    stream: RoutedStream,
    facts: CallFacts,
    requests: AsyncIterable<Message>,
  ): AsyncIterableIterator<Message, undefined>;
  /** Ends all streams with RPC_DRAINING and refuses new ones: before the process stops. Single calls go on. */
  drain(): void;
}

const SERVER_SPAN: SpanOptions = Object.freeze({ kind: 'server', attributes: { 'rpc.system': 'souk' } });
const MAX_TIMEOUT_MS = 30_000;
const MAX_STREAMS = 1000;
const NO_LIMITS: MethodLimits = Object.freeze({});
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

export function createRouter(options: RouterOptions): Router {
  const { runtime } = options;
  const deadlines = createDeadlines(runtime);
  const maxTimeoutMs = options.maxTimeoutMs ?? MAX_TIMEOUT_MS;
  const methods = new Map<string, RoutedMethod>();
  const streams = new Map<string, RoutedStream>();
  const served = createServedStreams(runtime, options.maxStreamMs);

  const invoke = async (method: RoutedMethod, facts: CallFacts, decode: () => Message): Promise<Message> => {
    const startedMs = runtime.clock.monotonicMs();
    const { telemetry } = method;
    const timeoutMs = Math.min(facts.timeoutMs ?? maxTimeoutMs, maxTimeoutMs);
    const { headers } = facts;
    using root = rootContext({
      runtime,
      timeoutMs,
      signal: facts.signal,
      trace: facts.trace ?? parseTraceparent(headers.traceparent, headers.tracestate) ?? newTrace(runtime, true),
      caller: facts.caller,
      log: method.log,
      routing: routingOf(headers),
    });
    const span = telemetry.tracer.start(root, method.name, SERVER_SPAN);
    let ctx = span.trace === root.trace ? root : root.with({ trace: span.trace });
    let code = 'ok';
    try {
      if (timeoutMs <= 0) throw kernelErrors.DEADLINE_EXCEEDED();
      admit(method, facts.caller);
      const request = decode();
      const violations = method.validate(request);
      if (violations.length > 0) throw rpcErrors.INVALID_REQUEST({}, { violations });
      admitOwner(method, facts.caller, request);
      const idempotencyKey = readIdempotencyKey(method, headers['idempotency-key']);
      if (idempotencyKey !== undefined) ctx = ctx.with({ idempotencyKey });
      const leave = method.gate?.enter();
      const work = method.run({ ctx, method: method.name, desc: method.desc, rules: method.rules, request, headers });
      // A handler that is cut off is at work until it has settled.
      if (leave !== undefined) work.then(leave, leave);
      return await deadlines.within(timeoutMs, facts.signal, work, startedMs);
    } catch (thrown) {
      const error = logFailure(runtime, ctx, thrown);
      code = error.code;
      span.fail(error);
      throw error;
    } finally {
      method.metrics.observe(code, (runtime.clock.monotonicMs() - startedMs) / 1000);
      span.end();
    }
  };

  const add: Router['add'] = (service, handlers, addOptions = {}) => {
    for (const desc of service.methods) {
      const name = `${service.typeName}/${desc.name}`;
      const handler = (handlers as Readonly<Record<string, unknown>>)[desc.localName];
      if (handler === undefined) throw rpcErrors.NO_HANDLER({ method: name });
      if (methods.has(name) || streams.has(name)) throw rpcErrors.SERVED_TWICE({ method: name });
      const method = servedMethod(name, service, desc, addOptions, options);
      if (desc.methodKind === 'unary') methods.set(name, routedMethod(method, handler as AnyHandler, options));
      else streams.set(name, routedStream(method, handler as AnyStreamHandler, options));
    }
  };

  const handle: Router['handle'] = async (request, caller) => {
    const method = methods.get(request.method);
    if (method === undefined) throw rpcErrors.UNKNOWN_METHOD();
    const { headers, timeoutMs, signal, trace } = request;
    const response = await invoke(method, { caller, headers, timeoutMs, signal, trace }, () =>
      decodeRequest(method, request.codec, request.body),
    );
    const body = request.codec === 'proto' ? encodeBinary(method, response) : Buffer.from(encodeJson(method, response));
    return { headers: NO_HEADERS, body };
  };

  const handleStream: Router['handleStream'] = (request, caller) => {
    const stream = streams.get(request.method);
    if (stream === undefined) throw rpcErrors.UNKNOWN_METHOD();
    const { headers, timeoutMs, signal, trace, codec } = request;
    const requests = mapped(request.messages, (body) => decodeRequest(stream, codec, body));
    const responses = served.open(stream, { caller, headers, timeoutMs, signal, trace }, requests);
    return mapped(responses, (response) => encodeMessage(stream, codec, response));
  };

  return { add, methods, streams, handle, invoke, handleStream, open: served.open, drain: served.drain };
}

function servedMethod(
  name: string,
  service: DescService,
  desc: DescService['methods'][number],
  addOptions: AddOptions,
  options: RouterOptions,
): ServedMethod {
  const telemetry = addOptions.telemetry ?? options.telemetry;
  const rules = { ...methodRules(desc), ...addOptions.rules };
  return {
    name,
    service,
    desc,
    rules,
    ownerField: desc.input.fields.find((field) => field.jsonName === rules.ownerField)?.localName,
    validate: compileValidator(desc.input),
    validateResponse: options.validateResponses ? compileValidator(desc.output) : undefined,
    decodeJson: compileJsonDecoder(desc.input),
    encodeJson: compileJsonEncoder(desc.output),
    encodeBinary: compileBinaryEncoder(desc.output),
    limits: options.limits?.[name] ?? NO_LIMITS,
    telemetry,
    log: telemetry.log.with({ method: name }),
  };
}

function routedStream(method: ServedMethod, handler: AnyStreamHandler, options: RouterOptions): RoutedStream {
  const { name, limits } = method;
  const desc = method.desc as DescMethodStreaming;
  return {
    ...method,
    desc,
    metrics: createStreamMetrics(method.telemetry, 'server', name),
    gate: createGate(name, limits.maxConcurrent ?? MAX_STREAMS),
    run: chain(options.streamInterceptors ?? [], streamHandler(desc, name, handler, method.validateResponse)),
  };
}

function routedMethod(method: ServedMethod, handler: AnyHandler, options: RouterOptions): RoutedMethod {
  const { name, rules, limits, validateResponse } = method;
  const desc = method.desc as DescMethodUnary;
  const answers = rules.noSideEffects && !holdsBytes(desc.output) ? createAnswerMemory() : undefined;
  const messageOf = (answer: object): Message => create(desc.output, answer as MessageInitShape<DescMessage>);
  const run = chain<Next>(options.interceptors ?? [], async ({ ctx, request }) => {
    const answer = await handler(ctx, request);
    const response = answers === undefined ? messageOf(answer) : answers.messageOf(answer, messageOf);
    if (validateResponse !== undefined) {
      const violations = validateResponse(response);
      if (violations.length > 0) throw rpcErrors.BAD_RESPONSE({ method: name }, { violations });
    }
    return response;
  });
  return {
    ...method,
    desc,
    answers,
    gate: limits.maxConcurrent === undefined ? undefined : createGate(name, limits.maxConcurrent),
    metrics: createCallMetrics(method.telemetry, 'server', name),
    run,
  };
}

/** @throws RPC_MALFORMED_BODY, RPC_INVALID_REQUEST */
export function decodeRequest(method: ServedMethod, codec: 'proto' | 'json', body: Uint8Array): Message {
  if (codec === 'json') return decodeJsonRequest(method, parseJsonBody(body));
  try {
    return fromBinary(method.desc.input, body);
  } catch (cause) {
    throw rpcErrors.MALFORMED_BODY({ why: 'it is not the protobuf message of this method' }, { cause });
  }
}

/** @throws RPC_INVALID_REQUEST */
export function decodeJsonRequest(method: ServedMethod, json: unknown): Message {
  const { message, violations } = method.decodeJson(json);
  if (violations.length > 0) throw rpcErrors.INVALID_REQUEST({}, { violations });
  return message;
}

/** @throws RPC_BAD_RESPONSE */
export function encodeBinary(method: RoutedMethod, response: Message): Uint8Array {
  return encodeOnce(method, response, 'proto', () => method.encodeBinary(response));
}

/** As text: HTTP writes a head and a text at once, a head and bytes one after the other. @throws RPC_BAD_RESPONSE */
export function encodeJson(method: RoutedMethod, response: Message): string {
  return encodeOnce(method, response, 'json', () => method.encodeJson(response));
}

/** A message of a stream. @throws RPC_BAD_RESPONSE */
export function encodeMessage(method: ServedMethod, codec: 'proto' | 'json', response: Message): Uint8Array {
  try {
    return codec === 'proto' ? method.encodeBinary(response) : Buffer.from(method.encodeJson(response));
  } catch (cause) {
    throw rpcErrors.BAD_RESPONSE({ method: method.name }, { cause });
  }
}

function encodeOnce<TCodec extends 'proto' | 'json'>(
  method: RoutedMethod,
  response: Message,
  codec: TCodec,
  encode: () => NonNullable<KeptAnswer[TCodec]>,
): NonNullable<KeptAnswer[TCodec]> {
  const kept: KeptAnswer | undefined = method.answers?.kept(response);
  const known = kept?.[codec];
  if (known !== undefined) return known;
  try {
    const encoded = encode();
    if (kept !== undefined) kept[codec] = encoded;
    return encoded;
  } catch (cause) {
    throw rpcErrors.BAD_RESPONSE({ method: method.name }, { cause });
  }
}
