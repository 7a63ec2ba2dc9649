import { type DescEnum, type DescField, type DescFile, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { MethodRules_Access, MethodRules_Idempotency } from '@souk/contracts/options/v1/options';
import { type Contracts, domainOf, type Event, type Method, rulesOf, type Service } from './contracts.ts';

const ACCESS: { readonly [access: number]: string } = {
  [MethodRules_Access.ACCESS_UNSPECIFIED]: 'other services',
  [MethodRules_Access.PUBLIC]: 'anybody',
  [MethodRules_Access.USER]: 'a signed-in user',
  [MethodRules_Access.ADMIN]: 'an administrator',
};

const anchor = (desc: DescMessage | DescEnum): string => desc.typeName.replace(/[^A-Za-z0-9]+/g, '-').toLowerCase();

const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ');

const link = (desc: DescMessage | DescEnum): string => {
  if (desc.typeName === 'google.protobuf.Timestamp') return 'timestamp';
  if (desc.typeName === 'google.protobuf.Value') return 'any JSON';
  if (desc.typeName === 'google.protobuf.Struct') return 'any JSON object';
  return `[${desc.typeName.slice(desc.file.proto.package.length + 1)}](#${anchor(desc)})`;
};

function typeOf(field: DescField): string {
  const one = (): string => {
    if (field.message !== undefined) return link(field.message);
    if (field.enum !== undefined) return link(field.enum);
    return field.scalar === undefined ? '' : (ScalarType[field.scalar] ?? '').toLowerCase();
  };
  if (field.fieldKind === 'list') return `list of ${one()}`;
  if (field.fieldKind === 'map') return `map to ${one()}`;
  return one();
}

function rulesText(field: DescField): string {
  const rules = rulesOf(field);
  if (rules === undefined) return '';
  const unit = field.scalar === ScalarType.BYTES ? 'bytes' : 'characters';
  const out: string[] = [];
  if (rules.required) out.push('required');
  if (rules.id) out.push(`id \`${rules.id}_…\``);
  if (rules.minLen > 0) out.push(`at least ${rules.minLen} ${unit}`);
  if (rules.maxLen > 0) out.push(`at most ${rules.maxLen} ${unit}`);
  if (rules.pattern) out.push(`matches \`${rules.pattern}\``);
  if (rules.format) out.push(`${rules.format}`);
  if (rules.gte !== undefined) out.push(`≥ ${rules.gte}`);
  if (rules.lte !== undefined) out.push(`≤ ${rules.lte}`);
  if (rules.minItems > 0) out.push(`at least ${rules.minItems} elements`);
  if (rules.maxItems > 0) out.push(`at most ${rules.maxItems} elements`);
  if (rules.in.length > 0) out.push(`one of ${rules.in.map((value) => `\`${value}\``).join(', ')}`);
  if (rules.header) out.push(`header \`${rules.header}\``);
  if (rules.sensitive) out.push('sensitive');
  return out.join(', ');
}

function fieldTable(message: DescMessage, contracts: Contracts): string[] {
  if (message.fields.length === 0) return ['No fields.'];
  const rows = message.fields.map(
    (field) =>
      `| \`${field.jsonName}\` | ${typeOf(field)} | ${cell(rulesText(field))} | ${cell(contracts.comment(field))} |`,
  );
  return ['| Field | Type | Rules | Meaning |', '|---|---|---|---|', ...rows];
}

function repeatNote(method: Method): string {
  if (method.reads) return 'changes nothing';
  if (method.rules.idempotency === MethodRules_Idempotency.KEY_REQUIRED)
    return 'safe with the header `Idempotency-Key`, which is required';
  if (method.rules.idempotency === MethodRules_Idempotency.NATURAL) return 'safe';
  return 'not safe';
}

const STREAMS: { readonly [kind: string]: readonly [takes: string, returns: string] } = {
  unary: ['', ''],
  server_streaming: ['', 'a stream of '],
  client_streaming: ['a stream of ', ''],
  bidi_streaming: ['a stream of ', 'a stream of '],
};

function takesNote({ route, desc, rules }: Method): string {
  const [takes, returns] = STREAMS[desc.methodKind] ?? ['', ''];
  const how = desc.methodKind !== 'unary' && route !== undefined ? ', over REST as server-sent events' : '';
  const status = rules.creates ? ' with status 201' : '';
  return `- Takes ${takes}${link(desc.input)}, returns ${returns}${link(desc.output)}${how}${status}`;
}

function methodSection(service: Service, method: Method): string[] {
  const { route, desc, rules } = method;
  const title = route === undefined ? desc.name : `${route.verb.toUpperCase()} ${route.path}`;
  const facts = [
    `- Who may call: ${ACCESS[rules.access] ?? ''}${rules.ownerField ? `, whose id is \`${rules.ownerField}\`, or an administrator` : ''}`,
    `- Repeating it: ${repeatNote(method)}`,
    takesNote(method),
    `- Call: \`${service.desc.typeName}/${desc.name}\``,
  ];
  return [`#### ${title}`, '', method.comment, '', ...facts, ''];
}

function messageSection(message: DescMessage, contracts: Contracts): string[] {
  const name = message.typeName.slice(message.file.proto.package.length + 1);
  const out = [`<a id="${anchor(message)}"></a>`, '', `#### ${name}`, '', contracts.comment(message), ''];
  out.push(...fieldTable(message, contracts), '');
  for (const nested of message.nestedEnums) out.push(...enumSection(nested, contracts));
  for (const nested of message.nestedMessages) out.push(...messageSection(nested, contracts));
  return out;
}

function enumSection(desc: DescEnum, contracts: Contracts): string[] {
  const name = desc.typeName.slice(desc.file.proto.package.length + 1);
  const rows = desc.values.map((value) => `| \`${value.name}\` | ${cell(contracts.comment(value))} |`);
  return [
    `<a id="${anchor(desc)}"></a>`,
    '',
    `#### ${name}`,
    '',
    contracts.comment(desc),
    '',
    '| Value | Meaning |',
    '|---|---|',
    ...rows,
    '',
  ];
}

function eventSection(event: Event, contracts: Contracts): string[] {
  const facts = [`- Type: \`${event.type}\``, `- In order per: \`${event.keyField}\``];
  return [`#### ${event.desc.name}`, '', event.comment, '', ...facts, '', ...fieldTable(event.desc, contracts), ''];
}

function domainSection(domain: string, files: readonly DescFile[], contracts: Contracts): string[] {
  const services = contracts.services.filter((service) => domainOf(service.desc.file) === domain);
  const events = contracts.events.filter((event) => domainOf(event.desc.file) === domain);
  const published = new Set(events.map((event) => event.desc));
  const main = files.filter((file) => file.services.length > 0);
  const about = (main.length > 0 ? main : files.slice(0, 1)).map((file) => contracts.comment(file));
  const out = [`## ${domain}`, '', about.join('\n\n'), ''];
  const section = (title: string, lines: readonly string[]): void => {
    if (lines.length > 0) out.push(`### ${title} of ${domain}`, '', ...lines);
  };
  const methods = (isRest: boolean): string[] =>
    services.flatMap((service) =>
      service.methods
        .filter((method) => (method.route !== undefined) === isRest)
        .flatMap((method) => methodSection(service, method)),
    );
  section('REST', methods(true));
  section('Internal calls', methods(false));
  section(
    'Events',
    events.flatMap((event) => eventSection(event, contracts)),
  );
  const messages = files.flatMap((file) => file.messages).filter((message) => !published.has(message));
  section(
    'Messages',
    messages.flatMap((message) => messageSection(message, contracts)),
  );
  return out;
}

function overview(contracts: Contracts): string[] {
  const rows = contracts.services.flatMap((service) =>
    service.methods.flatMap(({ route, rules, comment }) =>
      route === undefined
        ? []
        : [
            `| \`${route.verb.toUpperCase()} ${route.path}\` | ${ACCESS[rules.access] ?? ''} | ${cell(comment.split(/(?<=\.)\s/)[0] ?? '')} |`,
          ],
    ),
  );
  return ['## All routes', '', '| Route | Who may call | What it does |', '|---|---|---|', ...rows, ''];
}

/** The reference of all calls and events, as Markdown. */
export function apiReference(contracts: Contracts): string {
  const domains = [...new Set(contracts.files.map(domainOf))].filter((domain) => domain !== 'options');
  const out = [
    '# API reference',
    '',
    'Generated from the contracts by `node tools/openapi/main.ts`; edit `contracts/proto` instead.',
    '',
    'REST speaks the JSON mapping of protobuf: lowerCamelCase names, 64-bit integers as strings, enums by name, timestamps in RFC 3339.',
    'Query parameters have the names of the contract, such as `page_size`. Errors are problem details (RFC 9457). Every method, internal or',
    'not, can be called by another service by the Connect protocol and by gRPC under the name given as its call.',
    '',
    ...domains.map((domain) => `- [${domain}](#${domain})`),
    '',
    ...overview(contracts),
    ...domains.flatMap((domain) =>
      domainSection(
        domain,
        contracts.files.filter((file) => domainOf(file) === domain),
        contracts,
      ),
    ),
  ];
  return `${out.join('\n').trimEnd()}\n`;
}
