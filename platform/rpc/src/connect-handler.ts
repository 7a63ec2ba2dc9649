import type { SoukError } from '@souk/kernel';
import { compressFor, decompress, readCompression } from './compression.ts';
import { toConnectError } from './connect-error.ts';
import { rpcErrors } from './errors.ts';
import { demandMediaType } from './http-body.ts';
import type { HttpCall, HttpProtocol, HttpReply } from './http-call.ts';
import { connectStatus } from './http-status.ts';
import type { RoutedMethod } from './routed-method.ts';
import { decodeRequest, encodeBinary, encodeJson, type Router } from './router.ts';

type Codec = 'proto' | 'json';

const TYPES = ['application/proto', 'application/json'] as const;
/** Of a message in a query, decompressed. */
const MAX_MESSAGE_BYTES = 1_048_576;
const HEADERS = { proto: { 'content-type': TYPES[0] }, json: { 'content-type': TYPES[1] } } as const;
const TIMEOUT = /^[0-9]{1,10}$/;

/** Serves the methods of a router by the Connect protocol: single calls, as protobuf or JSON, compressed or not, reads also by GET. */
export function connectHandler(router: Router): HttpProtocol {
  return (_verb, path) => {
    const method = router.methods.get(path.slice(1));
    if (method === undefined) return undefined;
    const { criticality } = method.rules;
    return { route: path, criticality, fail, handle: (call) => handle(router, method, call) };
  };
}

function fail(error: SoukError): HttpReply {
  // The protocol has one status of its own choosing: for content types, which its clients offer each other.
  const status =
    error.reason === 'RPC_UNSUPPORTED_MEDIA_TYPE' || error.reason === 'RPC_METHOD_NOT_ALLOWED'
      ? error.httpStatus
      : undefined;
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (error.details.allow !== undefined) headers.allow = error.details.allow;
  return { status: status ?? connectStatus(error.code), headers, body: JSON.stringify(toConnectError(error)) };
}

async function handle(router: Router, method: RoutedMethod, call: HttpCall): Promise<HttpReply> {
  const { headers } = call;
  const { codec, body } = await readCall(method, call);
  const version = headers['connect-protocol-version'];
  if (version !== undefined && version !== '1')
    throw rpcErrors.BAD_HEADER({ name: 'Connect-Protocol-Version', why: 'must be 1' });
  const caller = await call.authenticate(method.rules.access === 'public');
  const facts = {
    caller,
    headers: headers as Readonly<Record<string, string>>,
    timeoutMs: readTimeout(headers['connect-timeout-ms'] as string | undefined),
    signal: call.signal,
    trace: call.trace,
  };
  const response = await router.invoke(method, facts, () => decodeRequest(method, codec, body));
  const type = codec === 'json' ? TYPES[1] : TYPES[0];
  const answer = codec === 'json' ? encodeJson(method, response) : encodeBinary(method, response);
  const accepted = headers['accept-encoding'] as string | undefined;
  if (accepted === undefined) {
    const isTerse = codec === 'proto' && headers.traceparent !== undefined;
    return { status: 200, headers: HEADERS[codec], body: answer, isTerse };
  }
  const smaller = await compressFor(accepted, answer);
  if (smaller === undefined) return { status: 200, headers: { 'content-type': type }, body: answer };
  const compressed = { 'content-type': type, 'content-encoding': smaller.compression, vary: 'accept-encoding' };
  return { status: 200, headers: compressed, body: smaller.body };
}

async function readCall(method: RoutedMethod, call: HttpCall): Promise<{ codec: Codec; body: Uint8Array }> {
  if (call.verb === 'GET' && method.rules.noSideEffects) return readQuery(method, call.query);
  if (call.verb !== 'POST') {
    const allow = method.rules.noSideEffects ? 'GET, POST' : 'POST';
    throw rpcErrors.METHOD_NOT_ALLOWED({ allowed: allow }, { details: { allow } });
  }
  const type = demandMediaType(call.headers['content-type'], TYPES);
  return { codec: type === TYPES[0] ? 'proto' : 'json', body: await call.readBody(method.limits.maxMessageBytes) };
}

async function readQuery(method: RoutedMethod, query: string): Promise<{ codec: Codec; body: Uint8Array }> {
  const parameters = new URLSearchParams(query);
  const codec = parameters.get('encoding');
  if (codec !== 'proto' && codec !== 'json') throw rpcErrors.UNSUPPORTED_MEDIA_TYPE({ wanted: TYPES.join(' or ') });
  const compression = readCompression(parameters.get('compression') ?? undefined);
  const message = parameters.get('message') ?? '';
  const body = Buffer.from(message, parameters.get('base64') === '1' ? 'base64url' : 'utf8');
  if (compression === undefined) return { codec, body };
  return { codec, body: await decompress(compression, body, method.limits.maxMessageBytes ?? MAX_MESSAGE_BYTES) };
}

function readTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (!TIMEOUT.test(header))
    throw rpcErrors.BAD_HEADER({ name: 'Connect-Timeout-Ms', why: 'must be a whole number of milliseconds' });
  return Number(header);
}
