import type { DescMethod } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { readOption } from './contract-options.ts';
import { schemaErrors } from './errors.ts';
import type { Access, HttpRoute, Idempotency, Importance, MethodRules } from './method-rules.ts';

interface MethodOption {
  readonly access: number;
  readonly ownerField: string;
  readonly idempotency: number;
  readonly creates: boolean;
  readonly timeoutMs: number;
  readonly criticality: number;
}

interface HttpOption {
  readonly pattern: { readonly case: string | undefined; readonly value?: unknown };
  readonly body: string;
  readonly additionalBindings: readonly HttpOption[];
}

const ACCESS: readonly Access[] = ['internal', 'public', 'user', 'admin'];
const IDEMPOTENCY: readonly Idempotency[] = ['none', 'natural', 'key'];
const IMPORTANCE: readonly Importance[] = ['default', 'critical_plus', 'critical', 'sheddable_plus', 'sheddable'];
const VERBS = new Map<string, HttpRoute['verb']>([
  ['get', 'GET'],
  ['post', 'POST'],
  ['put', 'PUT'],
  ['patch', 'PATCH'],
  ['delete', 'DELETE'],
]);

/** A cache of a pure function of immutable descriptors. */
const rulesOf = new WeakMap<DescMethod, MethodRules>();

/**
 * What the contract says about a method. A method without rules is `internal` and may not be repeated.
 * @throws SCHEMA_BAD_CONTRACT when the rules name a field or a verb that does not exist
 */
export function methodRules(method: DescMethod): MethodRules {
  const known = rulesOf.get(method);
  if (known !== undefined) return known;
  const rules = read(method);
  rulesOf.set(method, rules);
  return rules;
}

function read(method: DescMethod): MethodRules {
  const option = readOption<MethodOption>(method, 'souk.options.v1.method');
  const http = readOption<HttpOption>(method, 'google.api.http');
  const noSideEffects = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  const repeatable = noSideEffects || method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT;
  const declared = IDEMPOTENCY[option?.idempotency ?? 0] ?? 'none';
  const access = ACCESS[option?.access ?? 0] ?? 'internal';
  const importance = IMPORTANCE[option?.criticality ?? 0] ?? 'default';
  return Object.freeze({
    // A value that this version does not know refuses everybody but other services.
    access,
    ownerField: option?.ownerField ? ownerField(method, option.ownerField) : undefined,
    idempotency: declared === 'none' && repeatable ? 'natural' : declared,
    noSideEffects,
    creates: option?.creates ?? false,
    timeoutMs: option?.timeoutMs || undefined,
    criticality: importance === 'default' && access === 'admin' ? 'critical_plus' : importance,
    routes: http === undefined ? [] : [http, ...http.additionalBindings].map((rule) => route(method, rule)),
  });
}

function ownerField(method: DescMethod, name: string): string {
  const field = method.input.fields.find((candidate) => candidate.name === name);
  if (field === undefined)
    throw schemaErrors.BAD_CONTRACT({ subject: nameOf(method), why: `no request field ${name}` });
  return field.jsonName;
}

function route(method: DescMethod, rule: HttpOption): HttpRoute {
  const verb = VERBS.get(rule.pattern.case ?? '');
  const path = rule.pattern.value;
  if (verb === undefined || typeof path !== 'string' || !path.startsWith('/')) {
    throw schemaErrors.BAD_CONTRACT({ subject: nameOf(method), why: 'its HTTP rule has no verb or no path' });
  }
  return Object.freeze({ verb, path, body: rule.body });
}

const nameOf = (method: DescMethod): string => `${method.parent.typeName}/${method.name}`;
