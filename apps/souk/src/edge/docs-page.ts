import { escapeHtml, layout } from './pages.ts';

/** The parts of an OpenAPI 3.1 document that the page shows. */
interface OpenApi {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema?: Schema; readonly example?: unknown }>>;
  };
  readonly responses: Readonly<
    Record<
      string,
      { readonly description?: string; readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }
    >
  >;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly allOf?: readonly Schema[];
}

/** The description of the interface as one page of HTML that loads nothing. */
export function docsPage(document: unknown): string {
  const api = document as OpenApi;
  const operations = Object.entries(api.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ path, verb: verb.toUpperCase(), operation })),
  );
  const tags = api.tags ?? [];
  const sections = tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags?.[0] === name);
    if (own.length === 0) return '';
    return `<h2 id="${escapeHtml(name)}">${escapeHtml(name)}</h2><p class="soft">${escapeHtml(description ?? '')}</p>
      ${own.map(({ path, verb, operation }) => operationHtml(verb, path, operation)).join('')}`;
  });
  const schemas = Object.entries(api.components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${escapeHtml(name)}"><summary><code>${escapeHtml(name)}</code>
       <span class="soft">${escapeHtml(schema.description ?? '')}</span></summary><div>${propertiesHtml(schema)}</div></details>`,
  );
  const intro = (api.info.description ?? '').split('\n\n').map(paragraph).join('');
  const body = `<h1>${escapeHtml(api.info.title)} API ${escapeHtml(api.info.version)}</h1>${intro}
    <p><a href="/openapi.json">openapi.json</a> describes the same for machines (OpenAPI 3.1).</p>
    <p>${tags.map(({ name }) => `<a href="#${escapeHtml(name)}">${escapeHtml(name)}</a>`).join(' · ')}</p>
    ${sections.join('')}<h2>Types</h2>${schemas.join('')}${OPEN_TARGET}`;
  return layout('API', body);
}

/** A link to a type opens it. */
const OPEN_TARGET = `<script>
const open=()=>{const e=document.getElementById(location.hash.slice(1));if(e&&e.tagName==='DETAILS'){e.open=true;e.scrollIntoView()}};
addEventListener('hashchange',open);open();</script>`;

function paragraph(text: string): string {
  const lines = text.split('\n');
  const code = (line: string) => escapeHtml(line).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
  if (lines.every((line) => line.startsWith('- '))) {
    return `<ul>${lines.map((line) => `<li>${code(line.slice(2))}</li>`).join('')}</ul>`;
  }
  return `<p>${code(text)}</p>`;
}

function operationHtml(verb: string, path: string, operation: Operation): string {
  const { summary = '', description = '', security, parameters = [], requestBody, responses } = operation;
  const known = parameters.filter((one): one is Parameter => 'name' in one);
  const body = Object.entries(requestBody?.content ?? {})[0];
  const text = description && description !== summary ? description : '';
  return `<details id="${escapeHtml(operation.operationId)}">
    <summary><span class="verb">${verb}</span><code>${escapeHtml(path)}</code><span class="soft">${escapeHtml(summary)}</span></summary><div>
    ${text.split('\n\n').map(paragraph).join('')}
    ${security && security.length > 0 ? '<p class="soft">Needs <code>Authorization: Bearer</code>.</p>' : ''}
    ${known.length > 0 ? `<table><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr>${known.map(parameterHtml).join('')}</table>` : ''}
    ${body ? `<p>Body <code>${escapeHtml(body[0])}</code>: ${typeHtml(body[1].schema)}</p>${body[1].schema ? propertiesHtml(body[1].schema) : ''}` : ''}
    <table><tr><th>Answer</th><th></th><th></th></tr>${Object.entries(responses)
      .map(([status, { description: said = '', content = {} }]) => {
        const schema = Object.values(content)[0]?.schema;
        return `<tr><td>${escapeHtml(status)}</td><td>${schema ? typeHtml(schema) : ''}</td><td>${escapeHtml(said)}</td></tr>`;
      })
      .join('')}</table></div></details>`;
}

const parameterHtml = ({ name, in: place, required, description = '', schema }: Parameter): string =>
  `<tr><td><code>${escapeHtml(name)}</code>${required ? ' *' : ''}</td><td>${escapeHtml(place)}</td><td>${typeHtml(schema)}</td><td>${escapeHtml(description)}</td></tr>`;

function propertiesHtml(schema: Schema): string {
  if (schema.enum)
    return `<p>${schema.enum.map((value) => `<code>${escapeHtml(String(value))}</code>`).join(', ')}</p>`;
  const rows = Object.entries(schema.properties ?? {}).map(
    ([name, property]) =>
      `<tr><td><code>${escapeHtml(name)}</code>${schema.required?.includes(name) ? ' *' : ''}</td><td>${typeHtml(property)}</td><td>${escapeHtml(property.description ?? '')}</td></tr>`,
  );
  return rows.length > 0 ? `<table>${rows.join('')}</table>` : '';
}

function typeHtml(schema: Schema | undefined): string {
  const ref = schema?.$ref ?? schema?.allOf?.[0]?.$ref;
  if (schema === undefined) return '';
  if (ref !== undefined) {
    const name = escapeHtml(ref.slice(ref.lastIndexOf('/') + 1));
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if (schema.items) return `list of ${typeHtml(schema.items)}`;
  if (typeof schema.additionalProperties === 'object') return `map of ${typeHtml(schema.additionalProperties)}`;
  const type = [schema.type ?? 'any'].flat().join(' or ');
  return escapeHtml(schema.format ? `${type} (${schema.format})` : type);
}
