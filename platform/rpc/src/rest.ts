import type { DescField, Message } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import type { Runtime, SoukError, Violation } from '@souk/kernel';
import type { HttpRoute } from '@souk/schema';
import { deferred, only } from './async-iterables.ts';
import { rpcErrors } from './errors.ts';
import { demandMediaType } from './http-body.ts';
import type { HttpCall, HttpProtocol, HttpReply, HttpTarget } from './http-call.ts';
import { parseJsonBody } from './json-body.ts';
import { createPathRouter, type PathValues } from './path-router.ts';
import { parsePathTemplate } from './path-template.ts';
import { problemReply } from './problem.ts';
import {
  bindHeaders,
  bindLastEventId,
  bindPathValue,
  bindQueryValues,
  type FieldPath,
  headerFields,
  resolveFieldPath,
  resumeField,
} from './rest-binding.ts';
import type { RoutedMethod, RoutedStream, ServedMethod } from './routed-method.ts';
import { type CallFacts, decodeJsonRequest, encodeJson, type Router } from './router.ts';
import { EVENT_STREAM, type EventFields, eventFields, eventStream } from './server-sent-events.ts';

type JsonObject = Record<string, unknown>;

/** A route with all that can be worked out before its first request. */
interface RestRoute {
  readonly method: ServedMethod;
  readonly template: string;
  readonly pathFields: ReadonlyMap<string, FieldPath>;
  readonly bodyField: DescField | undefined;
  readonly wholeBody: boolean;
  readonly headerFields: ReadonlyMap<string, DescField>;
  readonly versionField: DescField | undefined;
  /** For streams. */
  readonly events: EventFields | undefined;
  readonly resumeField: DescField | undefined;
}

const JSON_TYPES = ['application/json'] as const;
const NOTHING = new Uint8Array(0);

/**
 * Serves the methods of a router as REST, by their google.api.http rules. A method that streams its responses is served as server-sent
 * events, by GET.
 * @throws RPC_BAD_ROUTE when a rule cannot be served, or two methods claim the same verb and path
 */
export function restHandler(router: Router, runtime: Runtime): HttpProtocol {
  let routes = compile(router);
  let compiledFor = router.methods.size + router.streams.size;
  return (verb, path) => {
    // Services may be added while the server runs.
    const size = router.methods.size + router.streams.size;
    if (compiledFor !== size) {
      routes = compile(router);
      compiledFor = size;
    }
    const match = routes.match(verb === 'HEAD' ? 'GET' : verb, path);
    if (match === undefined) return undefined;
    if (match.kind === 'wrongVerb') return wrongVerb(match.allowed);
    const { target: route, values } = match;
    const { criticality } = route.method.rules;
    return {
      ...{ route: route.template, criticality, fail: problemReply, waits: route.events !== undefined },
      handle: (call) =>
        route.events === undefined
          ? handle(router, route, values, call)
          : watch(router, runtime, route, route.events, values, call),
    };
  };
}

function wrongVerb(verbs: readonly string[]): HttpTarget {
  const allow = (verbs.includes('GET') ? [...verbs, 'HEAD'] : verbs).join(', ');
  return {
    route: '(wrong verb)',
    fail: problemReply,
    handle: () => Promise.reject(rpcErrors.METHOD_NOT_ALLOWED({ allowed: allow }, { details: { allow } })),
  };
}

function compile(router: Router) {
  const routes = createPathRouter<RestRoute>();
  for (const method of [...router.methods.values(), ...router.streams.values()]) {
    for (const rule of method.rules.routes) {
      const segments = parsePathTemplate(rule.path, method.name);
      if (!routes.add(rule.verb, segments, compileRoute(method, rule))) {
        throw rpcErrors.BAD_ROUTE({ method: method.name, path: rule.path, why: 'another method has it' });
      }
    }
  }
  return routes;
}

function compileRoute(method: ServedMethod, rule: HttpRoute): RestRoute {
  const { input, output, methodKind } = method.desc;
  const refuse = (why: string): SoukError => rpcErrors.BAD_ROUTE({ method: method.name, path: rule.path, why });
  const isStream = methodKind !== 'unary';
  if (isStream && (methodKind !== 'server_streaming' || rule.verb !== 'GET'))
    throw refuse('of streams, only those of responses can be served, by GET');
  const pathFields = new Map<string, FieldPath>();
  for (const segment of parsePathTemplate(rule.path, method.name)) {
    if (segment.kind === 'literal' || segment.field === undefined) continue;
    const path = resolveFieldPath(input, segment.field);
    if (path === undefined) throw refuse(`no field ${segment.field}`);
    pathFields.set(segment.field, path);
  }
  const wholeBody = rule.body === '*';
  const bodyField = wholeBody ? undefined : input.fields.find((field) => field.name === rule.body);
  if (rule.body !== '' && !wholeBody && bodyField === undefined) throw refuse(`no field ${rule.body}`);
  const version = output.fields.find((field) => field.name === 'version');
  return {
    method,
    template: rule.path,
    pathFields,
    bodyField,
    wholeBody,
    headerFields: headerFields(input),
    versionField: version?.scalar === ScalarType.INT32 && version.fieldKind === 'scalar' ? version : undefined,
    events: isStream ? eventFields(output) : undefined,
    resumeField: isStream ? resumeField(input) : undefined,
  };
}

async function handle(router: Router, route: RestRoute, values: PathValues, call: HttpCall): Promise<HttpReply> {
  const method = route.method as RoutedMethod;
  const facts = await factsOf(method, call);
  const body = route.wholeBody || route.bodyField !== undefined ? await call.readBody(maxBytes(method)) : NOTHING;
  const response = await router.invoke(method, facts, () => readRequest(route, values, call, body));
  return reply(method, route, call, response);
}

async function watch(
  router: Router,
  runtime: Runtime,
  route: RestRoute,
  fields: EventFields,
  values: PathValues,
  call: HttpCall,
): Promise<HttpReply> {
  const stream = route.method as RoutedStream;
  const facts = await factsOf(stream, call);
  if (call.verb === 'HEAD') return EVENT_STREAM;
  const request = deferred(async () => only(readRequest(route, values, call, NOTHING)));
  const toJson = (message: Message): string => stream.encodeJson(message);
  return eventStream(runtime, call, router.open(stream, facts, request), fields, toJson);
}

const maxBytes = ({ limits }: ServedMethod): number | undefined => limits.maxMessageBytes;

const factsOf = async ({ rules }: ServedMethod, call: HttpCall): Promise<CallFacts> => ({
  caller: await call.authenticate(rules.access === 'public'),
  // Node joins repeated headers; only set-cookie, which requests do not have, is a list.
  headers: call.headers as Readonly<Record<string, string>>,
  timeoutMs: undefined,
  signal: call.signal,
  trace: call.trace,
});

function readRequest(route: RestRoute, values: PathValues, call: HttpCall, body: Uint8Array): Message {
  const { method, bodyField } = route;
  const violations: Violation[] = [];
  const isRaw = bodyField?.scalar === ScalarType.BYTES && bodyField.fieldKind === 'scalar';
  if (body.length > 0 && !isRaw) demandMediaType(call.headers['content-type'], JSON_TYPES);
  // The parsed object itself: copying it would turn a key __proto__ into a prototype.
  const json: JsonObject = route.wholeBody ? objectBody(body) : {};
  if (bodyField !== undefined && !isRaw && body.length > 0) json[bodyField.jsonName] = parseJsonBody(body);
  for (const [field, value] of values) bindPathValue(json, route.pathFields.get(field) ?? [], value, violations);
  if (call.query !== '') bindQuery(json, route, call.query, violations);
  bindLastEventId(json, route.resumeField, call.headers);
  bindHeaders(json, route.headerFields, call.headers);
  if (violations.length > 0) throw rpcErrors.INVALID_REQUEST({}, { violations });
  const request = decodeJsonRequest(method, json);
  if (isRaw) (request as unknown as JsonObject)[bodyField.localName] = body;
  return request;
}

function objectBody(body: Uint8Array): JsonObject {
  const json = parseJsonBody(body);
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as JsonObject;
  throw rpcErrors.INVALID_REQUEST({}, { violations: [{ pointer: '', detail: 'must be an object' }] });
}

function bindQuery(json: JsonObject, route: RestRoute, query: string, violations: Violation[]): void {
  const parameters = new URLSearchParams(query);
  for (const name of new Set(parameters.keys())) {
    const path = route.wholeBody ? undefined : resolveFieldPath(route.method.desc.input, name);
    if (path === undefined) violations.push({ pointer: `/${escapeStep(name)}`, detail: 'is not a known parameter' });
    else bindQueryValues(json, path, parameters.getAll(name), violations);
    if (violations.length >= 20) return;
  }
}

const escapeStep = (name: string): string => name.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1');

function reply(method: RoutedMethod, route: RestRoute, call: HttpCall, response: Message): HttpReply {
  const { versionField } = route;
  const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': cacheControl(method) };
  if (versionField !== undefined) {
    const etag = `"${(response as unknown as JsonObject)[versionField.localName]}"`;
    headers.etag = etag;
    if (isRead(call.verb) && matches(call.headers['if-none-match'], etag)) return { status: 304, headers: { etag } };
  }
  return { status: method.rules.creates ? 201 : 200, headers, body: encodeJson(method, response) };
}

/** What anybody may read may be kept and asked about again; everything else is somebody's own. */
const cacheControl = ({ rules }: RoutedMethod): string =>
  rules.access === 'public' && rules.noSideEffects ? 'no-cache' : 'no-store';

const isRead = (verb: string): boolean => verb === 'GET' || verb === 'HEAD';

/** Weak comparison (RFC 9110): for reads, `W/"1"` and `"1"` are the same. */
const matches = (header: string | undefined, etag: string): boolean | undefined =>
  header?.split(',').some((each) => ['*', etag].includes(each.trim().replace(/^W\//, '')));
