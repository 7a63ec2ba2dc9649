import { parseTimeout as parseConnectTimeout } from '@connectrpc/connect/protocol-connect';
import { parseTimeout as parseGrpcTimeout } from '@connectrpc/connect/protocol-grpc';
import { fromUnknown, type SoukError } from '@souk/kernel';
import {
  type CallFacts,
  decodeRequest,
  encodeBinary,
  encodeJson,
  encodeMessage,
  type HttpCall,
  type HttpProtocol,
  type HttpReply,
  type HttpTarget,
  onlyOne,
  type RoutedMethod,
  type RoutedStream,
  type Router,
  rpcErrors,
  type ServedMethod,
} from '@souk/rpc';
import { type FramedType, readFramedType } from './content-type.ts';
import { grpcErrors } from './errors.ts';
import { END_STREAM, TRAILERS, writeFrame } from './frame.ts';
import { Health } from './grpc-contracts.ts';
import { acceptedHeader, negotiate, type Packing, readMessages, writeMessage } from './messages.ts';
import { endStream, statusTrailers, webTrailers } from './status.ts';

export interface GrpcHandlerOptions {
  readonly router: Router;
  /** Largest message, in bytes, decompressed, where the limits of its method do not say. @default 1048576 */
  readonly maxMessageBytes?: number;
}

const MAX_MESSAGE_BYTES = 1_048_576;
/** Errors that a client of another protocol can read too: they have a status of their own. */
const PLAIN: ReadonlySet<string> = new Set([
  'RPC_UNSUPPORTED_MEDIA_TYPE',
  'RPC_METHOD_NOT_ALLOWED',
  'GRPC_HTTP2_NEEDED',
]);

/**
 * Serves the methods of a router by gRPC (over HTTP/2), gRPC-Web (bytes and base64) and streams of Connect. For `framings` of the HTTP handler:
 * it takes what its content type claims, and every request for a method that streams.
 */
export function grpcHandler(options: GrpcHandlerOptions): HttpProtocol {
  const { router, maxMessageBytes = MAX_MESSAGE_BYTES } = options;
  return (_verb, path, headers) => {
    const type = readFramedType(headers?.['content-type']);
    const name = path.slice(1);
    if (type === undefined) return router.streams.has(name) ? refusal(path) : undefined;
    const method = router.methods.get(name) ?? router.streams.get(name);
    const limit = method?.limits.maxMessageBytes ?? maxMessageBytes;
    return {
      route: method === undefined ? '(unknown method)' : path,
      // Whoever asks how a server is must hear it just when there is too much to do.
      criticality:
        method === undefined || method.service.typeName === Health.typeName ? undefined : method.rules.criticality,
      waits: router.streams.has(name),
      fail: (error) => failure(type, error),
      handle: (call) => handle(router, type, method, call, limit),
    };
  };
}

/** A stream that is asked for in a content type that has no streams. */
function refusal(path: string): HttpTarget {
  const wanted = 'application/grpc, application/grpc-web or application/connect+proto, or with +json';
  return {
    route: path,
    fail: (error) => plain(error),
    handle: () => Promise.reject(rpcErrors.UNSUPPORTED_MEDIA_TYPE({ wanted })),
  };
}

async function handle(
  router: Router,
  type: FramedType,
  method: RoutedMethod | RoutedStream | undefined,
  call: HttpCall,
  limit: number,
): Promise<HttpReply> {
  checkCall(type, method, call);
  if (method === undefined) throw rpcErrors.UNKNOWN_METHOD();
  const packing = negotiate(type.protocol, call.headers);
  const facts: CallFacts = {
    // Before the first await, so that the limit counts from the call's arrival.
    timeoutMs: readTimeout(type, call),
    caller: await call.authenticate(method.rules.access === 'public'),
    headers: call.headers as Readonly<Record<string, string>>,
    signal: call.signal,
    trace: call.trace,
  };
  const bodies = readMessages(type, call.bodyChunks(!isStream(method)), packing.requests, limit);
  if (isStream(method)) return stream(router, type, packing, method, facts, bodies);
  const body = await onlyOne(method.name, bodies);
  const answer = await router.invoke(method, facts, () => decodeRequest(method, type.codec, body));
  const data = type.codec === 'proto' ? encodeBinary(method, answer) : Buffer.from(encodeJson(method, answer));
  const message = await writeMessage(data, packing);
  const head = headOf(type, packing);
  if (type.protocol === 'grpc') return { ...head, body: message, trailers: () => statusTrailers(undefined) };
  return { ...head, body: pieceOf(type, Buffer.concat([message, endFrame(type, undefined)])) };
}

const isStream = (method: ServedMethod): method is RoutedStream => method.desc.methodKind !== 'unary';

/** @throws RPC_METHOD_NOT_ALLOWED, RPC_UNSUPPORTED_MEDIA_TYPE, RPC_BAD_HEADER, GRPC_HTTP2_NEEDED */
function checkCall(type: FramedType, method: ServedMethod | undefined, call: HttpCall): void {
  if (call.verb !== 'POST') throw rpcErrors.METHOD_NOT_ALLOWED({ allowed: 'POST' }, { details: { allow: 'POST' } });
  if (!call.fullDuplex) {
    if (type.protocol === 'grpc') throw grpcErrors.HTTP2_NEEDED({ what: 'gRPC' });
    if (method?.desc.methodKind === 'bidi_streaming') throw grpcErrors.HTTP2_NEEDED({ what: method.name });
  }
  if (type.protocol !== 'connect') return;
  if (method?.desc.methodKind === 'unary')
    throw rpcErrors.UNSUPPORTED_MEDIA_TYPE({ wanted: 'application/proto or application/json' });
  const version = call.headers['connect-protocol-version'];
  if (version !== undefined && version !== '1')
    throw rpcErrors.BAD_HEADER({ name: 'Connect-Protocol-Version', why: 'must be 1' });
}

/** @throws RPC_BAD_HEADER */
function readTimeout({ protocol }: FramedType, { headers }: HttpCall): number | undefined {
  const name = protocol === 'connect' ? 'connect-timeout-ms' : 'grpc-timeout';
  const value = (headers[name] as string | undefined) ?? null;
  const parse = protocol === 'connect' ? parseConnectTimeout : parseGrpcTimeout;
  const { timeoutMs, error } = parse(value, Number.POSITIVE_INFINITY);
  if (error !== undefined) throw rpcErrors.BAD_HEADER({ name, why: 'is not a time' });
  return timeoutMs;
}

function stream(
  router: Router,
  type: FramedType,
  packing: Packing,
  method: RoutedStream,
  facts: CallFacts,
  bodies: AsyncIterableIterator<Uint8Array>,
): HttpReply {
  const requests = {
    next: async () => {
      const result = await bodies.next();
      return result.done === true
        ? result
        : { done: false as const, value: decodeRequest(method, type.codec, result.value) };
    },
    return: async () => {
      await bodies.return?.();
      return { done: true as const, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  const answers = router.open(method, facts, requests);
  let failed: SoukError | undefined;
  let isOver = false;
  const done = { done: true as const, value: undefined };
  const end = (): IteratorResult<Uint8Array | string, undefined> => {
    isOver = true;
    return type.protocol === 'grpc' ? done : { done: false, value: pieceOf(type, endFrame(type, failed)) };
  };
  const body: AsyncIterableIterator<Uint8Array | string, undefined> = {
    next: async () => {
      if (isOver) return done;
      try {
        const result = await answers.next();
        if (result.done === true) return end();
        const message = writeMessage(encodeMessage(method, type.codec, result.value), packing);
        return { done: false, value: pieceOf(type, message instanceof Promise ? await message : message) };
      } catch (thrown) {
        failed = fromUnknown(thrown);
        await answers.return?.();
        return end();
      }
    },
    return: async () => {
      isOver = true;
      await answers.return?.();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  const head = headOf(type, packing);
  return type.protocol === 'grpc' ? { ...head, body, trailers: () => statusTrailers(failed) } : { ...head, body };
}

const headOf = (type: FramedType, { answers }: Packing): Pick<HttpReply, 'status' | 'headers'> => ({
  status: 200,
  headers: { 'content-type': type.answers, ...(answers && { [answers.header]: answers.compression }) },
});

const endFrame = (type: FramedType, error: SoukError | undefined): Uint8Array =>
  type.protocol === 'connect' ? writeFrame(END_STREAM, endStream(error)) : writeFrame(TRAILERS, webTrailers(error));

const pieceOf = (type: FramedType, bytes: Uint8Array): Uint8Array | string =>
  type.isText ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') : bytes;

/** An error before the first message. */
function failure(type: FramedType, error: SoukError): HttpReply {
  if (PLAIN.has(error.reason)) return plain(error);
  const isEncoding = error.reason === 'RPC_UNSUPPORTED_ENCODING';
  const headers = { 'content-type': type.answers, ...(isEncoding && acceptedHeader(type.protocol)) };
  if (type.protocol === 'grpc') return { status: 200, headers, trailers: () => statusTrailers(error) };
  return { status: 200, headers, body: pieceOf(type, endFrame(type, error)) };
}

function plain(error: SoukError): HttpReply {
  const { allow } = error.details;
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' };
  if (allow !== undefined) headers.allow = allow;
  // Who counts on both directions at once would wait for ever on what is left of this connection.
  if (error.reason === 'GRPC_HTTP2_NEEDED') headers.connection = 'close';
  return { status: error.httpStatus ?? 500, headers, body: `${error.message}\n` };
}
