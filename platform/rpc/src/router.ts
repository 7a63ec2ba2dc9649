import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type Caller, newTrace, type Runtime, rootContext, type TraceContext } from '@souk/kernel';
import { compileJsonDecoder, compileJsonEncoder, compileValidator, methodRules } from '@souk/schema';
import { parseTraceparent, type Telemetry } from '@souk/telemetry';
import { admit, admitOwner } from './access.ts';
import { createAnswerMemory, holdsBytes, type KeptAnswer } from './answer-memory.ts';
import { createCallMetrics } from './call-metrics.ts';
import { createDeadlines } from './deadline.ts';
import { rpcErrors } from './errors.ts';
import { logFailure } from './failure.ts';
import type { Handlers } from './handler.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import { chain, type Interceptor } from './interceptor.ts';
import { parseJsonBody } from './json-body.ts';
import type { AnyHandler, RoutedMethod } from './routed-method.ts';
import type { WireRequest, WireResponse } from './wire.ts';

export interface RouterOptions {
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /** Around every handler; the first is the outermost. */
  readonly interceptors?: readonly Interceptor[];
  /** Longest time a call may take, in milliseconds, whatever its caller asks for. @default 30000 */
  readonly maxTimeoutMs?: number;
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

/** Serves methods, whatever the protocol they arrive by. */
export interface Router {
  /**
   * Serves every method of a service.
   * @param options.telemetry What the service reports through. Default: the router's.
   * @throws RPC_NO_HANDLER, RPC_SERVED_TWICE, RPC_NOT_UNARY; SCHEMA_BAD_CONTRACT
   */
  add<TService extends DescService>(
    service: TService,
    handlers: Handlers<TService>,
    options?: { readonly telemetry?: Telemetry },
  ): void;
  /** By name: `souk.orders.v1.OrderService/PlaceOrder`. */
  readonly methods: ReadonlyMap<string, RoutedMethod>;
  /** Decodes, runs and encodes a call. @throws SoukError */
  handle(request: WireRequest, caller: Caller): Promise<WireResponse>;
  /** Runs a call of a protocol that decodes and encodes for itself. `decode` runs once the caller is admitted. @throws SoukError */
  invoke(method: RoutedMethod, facts: CallFacts, decode: () => Message): Promise<Message>;
}

const MAX_TIMEOUT_MS = 30_000;
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

export function createRouter(options: RouterOptions): Router {
  const { runtime } = options;
  const deadlines = createDeadlines(runtime);
  const maxTimeoutMs = options.maxTimeoutMs ?? MAX_TIMEOUT_MS;
  const methods = new Map<string, RoutedMethod>();

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
    });
    const span = telemetry.tracer.start(root, method.name, { kind: 'server', attributes: { 'rpc.system': 'souk' } });
    let ctx = root.with({ trace: span.trace, log: method.log });
    let code = 'ok';
    try {
      admit(method, facts.caller);
      const request = decode();
      const violations = method.validate(request);
      if (violations.length > 0) throw rpcErrors.INVALID_REQUEST({}, { violations });
      admitOwner(method, facts.caller, request);
      const idempotencyKey = readIdempotencyKey(method, headers['idempotency-key']);
      if (idempotencyKey !== undefined) ctx = ctx.with({ idempotencyKey });
      const work = method.run({ ctx, method: method.name, desc: method.desc, rules: method.rules, request, headers });
      return await deadlines.within(timeoutMs, facts.signal, work);
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
    const telemetry = addOptions.telemetry ?? options.telemetry;
    for (const desc of service.methods) {
      const name = `${service.typeName}/${desc.name}`;
      if (desc.methodKind !== 'unary') throw rpcErrors.NOT_UNARY({ method: name });
      const handler = (handlers as unknown as Record<string, AnyHandler | undefined>)[desc.localName];
      if (handler === undefined) throw rpcErrors.NO_HANDLER({ method: name });
      if (methods.has(name)) throw rpcErrors.SERVED_TWICE({ method: name });
      methods.set(name, routedMethod(name, service, desc as DescMethodUnary, handler, telemetry, options));
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

  return { add, methods, handle, invoke };
}

function routedMethod(
  name: string,
  service: DescService,
  desc: DescMethodUnary,
  handler: AnyHandler,
  telemetry: Telemetry,
  options: RouterOptions,
): RoutedMethod {
  const rules = methodRules(desc);
  const validateResponse = options.validateResponses ? compileValidator(desc.output) : undefined;
  const answers = rules.noSideEffects && !holdsBytes(desc.output) ? createAnswerMemory() : undefined;
  const messageOf = (answer: object): Message => create(desc.output, answer as MessageInitShape<DescMessage>);
  const run = chain(options.interceptors ?? [], async ({ ctx, request }) => {
    const answer = await handler(ctx, request);
    const response = answers === undefined ? messageOf(answer) : answers.messageOf(answer, messageOf);
    if (validateResponse !== undefined) {
      const violations = validateResponse(response);
      if (violations.length > 0) throw rpcErrors.BAD_RESPONSE({ method: name }, { violations });
    }
    return response;
  });
  return {
    name,
    service,
    desc,
    rules,
    ownerField: desc.input.fields.find((field) => field.jsonName === rules.ownerField)?.localName,
    validate: compileValidator(desc.input),
    validateResponse,
    decodeJson: compileJsonDecoder(desc.input),
    encodeJson: compileJsonEncoder(desc.output),
    answers,
    telemetry,
    log: telemetry.log.with({ method: name }),
    metrics: createCallMetrics(telemetry, 'server', name),
    run,
  };
}

/** @throws RPC_MALFORMED_BODY, RPC_INVALID_REQUEST */
export function decodeRequest(method: RoutedMethod, codec: 'proto' | 'json', body: Uint8Array): Message {
  if (codec === 'json') return decodeJsonRequest(method, parseJsonBody(body));
  try {
    return fromBinary(method.desc.input, body);
  } catch (cause) {
    throw rpcErrors.MALFORMED_BODY({ why: 'it is not the protobuf message of this method' }, { cause });
  }
}

/** @throws RPC_INVALID_REQUEST */
export function decodeJsonRequest(method: RoutedMethod, json: unknown): Message {
  const { message, violations } = method.decodeJson(json);
  if (violations.length > 0) throw rpcErrors.INVALID_REQUEST({}, { violations });
  return message;
}

/** @throws RPC_BAD_RESPONSE */
export function encodeBinary(method: RoutedMethod, response: Message): Uint8Array {
  return encodeOnce(method, response, 'proto', () => toBinary(method.desc.output, response));
}

/** As text: HTTP writes a head and a text at once, a head and bytes one after the other. @throws RPC_BAD_RESPONSE */
export function encodeJson(method: RoutedMethod, response: Message): string {
  return encodeOnce(method, response, 'json', () => method.encodeJson(response));
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
