import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  createFileRegistry,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  getOption,
  hasOption,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { http } from '../gen/google/api/annotations_pb.js';
import {
  event,
  field as fieldRules,
  MethodRules_Access,
  MethodRules_Idempotency,
  method as methodRules,
} from '../gen/souk/options/v1/options_pb.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUF = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
const buf = (...args: string[]): Buffer =>
  execFileSync(process.execPath, [BUF, ...args], { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });

const ID_PREFIXES = ['usr', 'prd', 'ord', 'pm', 'pay', 'rfd', 'shp', 'ntf', 'rsv', 'job'];
/** Reached at an address that its standard prescribes. */
const WELL_KNOWN = '/.well-known/jwks.json';

let files: DescFile[];
let methods: DescMethod[];
let messages: DescMessage[];

const rulesOf = (field: DescField) => getOption(field, fieldRules);
const fieldOf = (message: DescMessage, name: string) => message.fields.find((field) => field.name === name);
const routeOf = (method: DescMethod) => {
  const { pattern, body } = getOption(method, http);
  return { verb: pattern.case, path: pattern.case === 'custom' ? '' : (pattern.value ?? ''), body };
};
const restMethods = () => methods.filter((method) => hasOption(method, http));
const eventMessages = () => messages.filter((message) => hasOption(message, event));
const withNested = (message: DescMessage): DescMessage[] => [message, ...message.nestedMessages.flatMap(withNested)];

before(() => {
  const image = buf('build', '.', '--path', 'contracts/proto/souk', '--as-file-descriptor-set', '-o', '-');
  const registry: FileRegistry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  files = [...registry.files].filter((file) => file.proto.package.startsWith('souk.'));
  methods = files.flatMap((file) => file.services).flatMap((service) => service.methods);
  messages = files.flatMap((file) => file.messages).flatMap(withNested);
});

describe('methods', () => {
  it('exist for eight services and for those who operate them', () => {
    const packages = new Set(methods.map((method) => method.parent.file.proto.package.split('.')[1]));
    const expected = 'admin catalog inventory loyalty notifications orders payments shipping users';
    assert.equal([...packages].sort().join(' '), expected);
  });

  it('say who may call them when they have a REST route, and have none when they are internal', () => {
    for (const method of methods) {
      const isInternal = getOption(method, methodRules).access === MethodRules_Access.ACCESS_UNSPECIFIED;
      assert.equal(isInternal, !hasOption(method, http), method.toString());
    }
  });

  it('have routes of their own under /api/v1', () => {
    const seen = new Set<string>();
    for (const method of restMethods()) {
      const { verb, path } = routeOf(method);
      assert.ok(path.startsWith('/api/v1/') || path === WELL_KNOWN, path);
      // Two templates that differ only in the names of their variables match the same requests.
      const shape = `${verb} ${path.replaceAll(/\{[^}]*\}/g, '{}')}`;
      assert.ok(!seen.has(shape), `${shape} is taken twice`);
      seen.add(shape);
    }
  });

  it('name fields of their request in path, body and owner_field', () => {
    for (const method of methods) {
      const { path, body } = routeOf(method);
      const names = [...path.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name ?? '');
      const { ownerField } = getOption(method, methodRules);
      if (ownerField) names.push(ownerField);
      if (body && body !== '*') names.push(body);
      for (const name of names) assert.ok(fieldOf(method.input, name), `${method}: no field ${name}`);
    }
  });

  it('are reads exactly where they are GET, but for a POST that only asks', () => {
    for (const method of restMethods()) {
      const reads = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
      const { verb } = routeOf(method);
      if (verb === 'get') assert.ok(reads, method.toString());
      if (verb === 'put' || verb === 'delete') {
        assert.ok(!reads, method.toString());
        assert.equal(getOption(method, methodRules).idempotency, MethodRules_Idempotency.NATURAL, method.toString());
      }
    }
  });

  it('are safe to repeat when they are internal', () => {
    for (const method of methods.filter((candidate) => !hasOption(candidate, http))) {
      const reads = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
      const natural = getOption(method, methodRules).idempotency === MethodRules_Idempotency.NATURAL;
      assert.ok(reads || natural, method.toString());
    }
  });

  it('page their lists', () => {
    const lists = methods.filter((method) => method.name.startsWith('List'));
    assert.ok(lists.length >= 9);
    for (const method of lists) {
      for (const name of ['page_size', 'page_token']) assert.ok(fieldOf(method.input, name), `${method}: ${name}`);
      assert.ok(fieldOf(method.output, 'next_page_token'), method.toString());
      const bounds = rulesOf(fieldOf(method.input, 'page_size') ?? assert.fail());
      assert.ok(bounds.gte === 0n && (bounds.lte ?? 0n) > 0n, `${method}: page_size has no bounds`);
    }
  });

  it('take If-Match as etag', () => {
    for (const { input } of methods) {
      const etag = fieldOf(input, 'etag');
      if (etag !== undefined) assert.equal(rulesOf(etag).header, 'if-match', input.typeName);
    }
  });
});

describe('events', () => {
  it('stand in events.proto, and nothing else does', () => {
    for (const message of files.flatMap((file) => file.messages)) {
      const isInEvents = message.file.name.endsWith('/events');
      assert.equal(hasOption(message, event), isInEvents, message.typeName);
    }
  });

  it('have a type of their own, named after them', () => {
    for (const message of eventMessages()) {
      const name = message.name.replaceAll(/(?<!^)[A-Z]/g, '-$&').toLowerCase();
      const domain = message.file.proto.package.split('.')[1];
      assert.equal(getOption(message, event).type, `souk.${domain}.${name}.v1`);
    }
  });

  it('have a key that must be set, and say when', () => {
    for (const message of eventMessages()) {
      const key = fieldOf(message, getOption(message, event).keyField);
      assert.ok(key && rulesOf(key).required, `${message}: the key field is missing or may be empty`);
      assert.equal(fieldOf(message, 'at')?.message?.typeName, 'google.protobuf.Timestamp', message.typeName);
    }
  });

  it('carry no personal data', () => {
    const check = (message: DescMessage): void => {
      for (const field of message.fields) {
        assert.ok(!rulesOf(field).sensitive, field.toString());
        if (field.message?.typeName.startsWith('souk.')) check(field.message);
      }
    };
    eventMessages().forEach(check);
  });
});

describe('fields', () => {
  it('use known prefixes for ids', () => {
    for (const field of messages.flatMap((message) => message.fields)) {
      const { id } = rulesOf(field);
      if (id) assert.ok(ID_PREFIXES.includes(id), `${field}: ${id}`);
    }
  });

  it('have patterns and examples that can be read', () => {
    for (const field of messages.flatMap((message) => message.fields)) {
      const { pattern, example } = rulesOf(field);
      if (pattern) assert.doesNotThrow(() => new RegExp(pattern, 'u'), field.toString());
      if (example) assert.doesNotThrow(() => JSON.parse(example), field.toString());
    }
  });

  it('that hold a password, a token or an address are sensitive', () => {
    const secret =
      /^(password|email|phone|access_token|refresh_token|first_name|last_name|display_name|line1|payload)$/;
    for (const field of messages.flatMap((message) => message.fields)) {
      if (secret.test(field.name) && field.scalar !== 8) assert.ok(rulesOf(field).sensitive, field.toString());
    }
  });
});

describe('generated code', () => {
  const out = mkdtempSync(join(tmpdir(), 'souk-contracts-'));
  after(() => {
    rmSync(out, { recursive: true, force: true });
  });

  it('is what the contracts generate', () => {
    buf('generate', '-o', out);
    const fresh = globSync('contracts/gen/**/*_pb.{js,d.ts}', { cwd: out }).sort();
    const kept = globSync('contracts/gen/**/*_pb.{js,d.ts}', { cwd: ROOT }).sort();
    assert.deepEqual(kept, fresh);
    for (const name of fresh) {
      assert.equal(
        readFileSync(join(ROOT, name), 'utf8'),
        readFileSync(join(out, name), 'utf8'),
        `${name} is out of date`,
      );
    }
  });

  it('can be imported by the name of the package', async () => {
    for (const file of files) {
      const name = file.name.replace(/^souk\//, '');
      const url = import.meta.resolve(`@souk/contracts/${name}`);
      assert.ok(existsSync(new URL(url)), url);
      assert.equal(url, pathToFileURL(join(ROOT, `contracts/gen/souk/${name}_pb.js`)).href);
      await import(url);
    }
  });

  it('comes from contracts that pass the lint', () => {
    buf('lint');
  });
});
