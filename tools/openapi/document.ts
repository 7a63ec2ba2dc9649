import type { DescEnum, DescField, DescMessage } from '@bufbuild/protobuf';
import { type FieldRules, MethodRules_Access, MethodRules_Idempotency } from '@souk/contracts/options/v1/options';
import { type Contracts, type Method, type Route, rulesOf, type Service } from './contracts.ts';
import { eventsResponse, isStream, lastEventId } from './events.ts';
import { messageExample } from './example.ts';
import type { Json, JsonObject } from './json.ts';
import { enumSchema, fieldSchema, objectSchema, schemaName } from './schema.ts';

const DESCRIPTION = `Everything a customer or an administrator can do, over plain HTTP and JSON.

- Names are lowerCamelCase; input may also use the names of the contract (\`page_size\`). Numbers of 64 bits are strings.
- Money is \`{ "currency": "EUR", "minorUnits": "1999" }\`. Ids are a prefix and a UUIDv7.
- Errors are problem details (RFC 9457) with a stable \`code\`.
- Lists are read page by page: send \`nextPageToken\` back as \`page_token\` until it is empty.
- An update sends the version it has seen as \`If-Match\`; another current version refuses it.
- A text without a limit of its own is at most 1024 characters long, a list at most 1000 elements.

The same methods can be called by the Connect protocol and by gRPC, at /<service>/<method>.`;

const PROBLEM: JsonObject = {
  type: 'object',
  description: 'What went wrong, after RFC 9457.',
  properties: {
    type: { type: 'string', format: 'uri-reference', description: 'Identifies the kind of problem.' },
    title: { type: 'string', description: 'The kind of problem, in words.' },
    status: { type: 'integer', description: 'The HTTP status.' },
    detail: { type: 'string', description: 'What happened this time.' },
    instance: { type: 'string', format: 'uri-reference', description: 'What it happened to.' },
    code: { type: 'string', description: 'Stable name of the problem, for programs.' },
    traceId: { type: 'string', description: 'The trace to look for.' },
    errors: {
      type: 'array',
      description: 'What is wrong with the input, place by place.',
      items: {
        type: 'object',
        properties: {
          pointer: { type: 'string', description: 'The place, as a JSON Pointer into the input.' },
          detail: { type: 'string', description: 'What is wrong there.' },
        },
        required: ['pointer', 'detail'],
      },
    },
  },
  required: ['title', 'status', 'code'],
};

const PROBLEMS: { readonly [name: string]: string } = {
  InvalidInput: 'The input breaks a rule; `errors` says where.',
  Unauthenticated: 'The call carries no valid access token.',
  Forbidden: 'The caller may not do this.',
  NotFound: 'There is no such thing.',
  Problem: 'Anything else that can go wrong.',
};

const problemResponse = (description: string): JsonObject => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
});

const headerName = (name: string): string => name.replace(/(^|-)[a-z]/g, (part) => part.toUpperCase());

/** Fields of a request that do not travel in the body: they are in the path, or in a header. */
function outsideBody(message: DescMessage, route: Route): ReadonlySet<string> {
  const headers = message.fields.filter((field) => rulesOf(field)?.header).map((field) => field.name);
  return new Set([...route.pathFields, ...headers]);
}

function parameter(field: DescField, contracts: Contracts, place: 'path' | 'query' | 'header'): JsonObject {
  const { description = '', examples, ...schema } = fieldSchema(field, contracts);
  const rules: FieldRules | undefined = rulesOf(field);
  const example = Array.isArray(examples) ? examples[0] : undefined;
  return {
    name: place === 'header' ? headerName(rules?.header ?? '') : field.name,
    in: place,
    description,
    ...(place === 'path' || (place === 'query' && rules?.required) ? { required: true } : {}),
    schema,
    ...(example === undefined ? {} : { example }),
  };
}

function parameters(method: Method, route: Route, contracts: Contracts): Json[] {
  const out: Json[] = [];
  const fields = method.desc.input.fields;
  for (const name of route.pathFields) {
    const field = fields.find((candidate) => candidate.name === name);
    if (field === undefined)
      throw new Error(`${method.desc}: the path names ${name}, which is no field of the request`);
    out.push(parameter(field, contracts, 'path'));
  }
  const outside = outsideBody(method.desc.input, route);
  if (route.body !== '*') {
    const inQuery = fields.filter((field) => !outside.has(field.name) && field.name !== route.body);
    out.push(...inQuery.map((field) => parameter(field, contracts, 'query')));
  }
  const inHeader = fields.filter((field) => rulesOf(field)?.header && !route.pathFields.includes(field.name));
  out.push(...inHeader.map((field) => parameter(field, contracts, 'header')));
  const resume = isStream(method) ? lastEventId(method) : undefined;
  if (resume !== undefined) out.push(resume);
  if (method.rules.idempotency === MethodRules_Idempotency.KEY_REQUIRED) {
    out.push({ $ref: '#/components/parameters/IdempotencyKey' });
  }
  return out;
}

/** The owner, where a caller leaves it out to mean themselves. */
const impliedOwner = ({ desc, rules }: Method): readonly string[] => {
  const owner = desc.input.fields.find((field) => field.name === rules.ownerField);
  return owner === undefined || rulesOf(owner)?.required ? [] : [owner.name];
};

function requestBody(method: Method, route: Route): JsonObject {
  if (route.body === '') return {};
  if (route.body !== '*') return { requestBody: { required: true, content: { '*/*': { schema: {} } } } };
  const input = method.desc.input;
  const content = {
    schema: { $ref: `#/components/schemas/${schemaName(input)}` },
    example: messageExample(input, new Set([...outsideBody(input, route), ...impliedOwner(method)])),
  };
  return { requestBody: { required: true, content: { 'application/json': content } } };
}

function success(method: Method): JsonObject {
  if (isStream(method)) return { '200': eventsResponse(method) };
  const output = method.desc.output;
  const isVersioned = output.fields.some((field) => field.name === 'version');
  const etag = { ETag: { description: 'The version, for If-Match.', schema: { type: 'string' } } };
  return {
    [method.rules.creates ? '201' : '200']: {
      description: method.rules.creates ? 'Made.' : 'Done.',
      ...(isVersioned ? { headers: etag } : {}),
      content: {
        'application/json': {
          schema: { $ref: `#/components/schemas/${schemaName(output)}` },
          example: messageExample(output, new Set()),
        },
      },
    },
  };
}

function responses(method: Method, route: Route): JsonObject {
  const problem = (name: string): Json => ({ $ref: `#/components/responses/${name}` });
  return {
    ...success(method),
    ...(method.desc.input.fields.length > 0 ? { '400': problem('InvalidInput') } : {}),
    ...(method.rules.access === MethodRules_Access.PUBLIC
      ? {}
      : { '401': problem('Unauthenticated'), '403': problem('Forbidden') }),
    ...(route.pathFields.length > 0 ? { '404': problem('NotFound') } : {}),
    default: problem('Problem'),
  };
}

const ACCESS_NOTES: { readonly [access: number]: string } = {
  [MethodRules_Access.PUBLIC]: 'Anybody may call this.',
  [MethodRules_Access.USER]: 'Needs a signed-in user.',
  [MethodRules_Access.ADMIN]: 'Needs an administrator.',
};

function operation(service: Service, method: Method, route: Route, contracts: Contracts): JsonObject {
  const list = parameters(method, route, contracts);
  const isPublic = method.rules.access === MethodRules_Access.PUBLIC;
  return {
    operationId: method.desc.localName,
    tags: [service.tag],
    summary: method.comment.split(/(?<=\.)\s/)[0] ?? '',
    description: `${method.comment}\n\n${ACCESS_NOTES[method.rules.access] ?? ''}`,
    ...(list.length > 0 ? { parameters: list } : {}),
    ...requestBody(method, route),
    responses: responses(method, route),
    security: isPublic ? [] : [{ bearer: [] }],
  };
}

/** Schemas of all messages and enums that the operations name, and of those that these name. */
function schemas(methods: readonly (readonly [Method, Route])[], contracts: Contracts): JsonObject {
  const found = new Map<string, DescMessage | DescEnum>();
  const without = new Map<DescMessage, ReadonlySet<string>>();
  const visit = (desc: DescMessage | DescEnum): void => {
    if (desc.typeName.startsWith('google.protobuf.')) return;
    const name = schemaName(desc);
    const known = found.get(name);
    if (known !== undefined && known !== desc) throw new Error(`${known} and ${desc} would share the schema ${name}`);
    if (known !== undefined) return;
    found.set(name, desc);
    if (desc.kind === 'enum') return;
    for (const field of desc.fields) {
      if (without.get(desc)?.has(field.name)) continue;
      if (field.message !== undefined) visit(field.message);
      if (field.enum !== undefined) visit(field.enum);
    }
  };
  for (const [method, route] of methods) {
    if (route.body === '*') {
      without.set(method.desc.input, outsideBody(method.desc.input, route));
      visit(method.desc.input);
    }
    for (const { enum: inQuery } of method.desc.input.fields) if (inQuery !== undefined) visit(inQuery);
    visit(method.desc.output);
  }
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  const entries = sorted.map(([name, desc]): [string, JsonObject] => [
    name,
    desc.kind === 'enum'
      ? enumSchema(desc, contracts)
      : objectSchema(desc, contracts, without.get(desc) ?? new Set<string>()),
  ]);
  return { ...Object.fromEntries(entries), Problem: PROBLEM };
}

/** The OpenAPI 3.1 document of everything that can be reached over REST. */
export function openApiDocument(contracts: Contracts): JsonObject {
  const paths: { [path: string]: JsonObject } = {};
  const methods: (readonly [Method, Route])[] = [];
  for (const service of contracts.services) {
    for (const method of service.methods) {
      if (method.route === undefined) continue;
      const at = paths[method.route.path] ?? {};
      paths[method.route.path] = at;
      if (at[method.route.verb] !== undefined) throw new Error(`${method.desc}: the route is taken`);
      at[method.route.verb] = operation(service, method, method.route, contracts);
      methods.push([method, method.route]);
    }
  }
  const tags = contracts.services
    .filter((service) => service.methods.some((method) => method.route !== undefined))
    .map((service) => ({ name: service.tag, description: service.comment }));
  return {
    openapi: '3.1.0',
    info: {
      title: 'souk',
      version: 'v1',
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags,
    paths: Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      schemas: schemas(methods, contracts),
      parameters: {
        IdempotencyKey: {
          name: 'Idempotency-Key',
          in: 'header',
          required: true,
          description:
            'Chosen by the caller, new for each intention. A repeat with the same key gives the same answer.',
          schema: { type: 'string', minLength: 1, maxLength: 255 },
          example: '01980c5e-7d2a-7b3c-9d4e-5f60718293a4',
        },
      },
      responses: Object.fromEntries(Object.entries(PROBLEMS).map(([name, text]) => [name, problemResponse(text)])),
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}
