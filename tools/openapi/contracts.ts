import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import {
  createFileRegistry,
  createRegistry,
  type DescEnum,
  type DescEnumValue,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  getOption,
  hasOption,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { http as httpOption } from '@souk/contracts/google/api/annotations';
import {
  event as eventOption,
  type FieldRules,
  field as fieldOption,
  type MethodRules,
  method as methodOption,
} from '@souk/contracts/options/v1/options';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What a REST client sends to call a method. */
export type Route = {
  readonly verb: 'get' | 'put' | 'post' | 'delete' | 'patch';
  /** Template with proto names in braces: `/api/v1/users/{user_id}/orders`. */
  readonly path: string;
  /** Fields that the path carries. */
  readonly pathFields: readonly string[];
  /** `*` for the whole message, a field's name, or nothing. */
  readonly body: string;
};

/** A method with everything that the documents say of it. */
export type Method = {
  readonly desc: DescMethod;
  readonly comment: string;
  readonly rules: MethodRules;
  readonly route: Route | undefined;
  /** The method changes nothing. */
  readonly reads: boolean;
};

/** A service and its methods. */
export type Service = {
  readonly desc: DescService;
  /** Name without "Service". */
  readonly tag: string;
  readonly comment: string;
  readonly methods: readonly Method[];
};

/** A message that is published. */
export type Event = {
  readonly desc: DescMessage;
  readonly comment: string;
  readonly type: string;
  readonly keyField: string;
};

type Described = DescFile | DescMessage | DescField | DescEnum | DescEnumValue | DescService | DescMethod;

/** All contracts of the system, in a stable order, with their comments. */
export type Contracts = {
  readonly services: readonly Service[];
  readonly events: readonly Event[];
  /** Every message and enum of the system, by full name. */
  readonly files: readonly DescFile[];
  /** Comment of a declaration, as paragraphs without line breaks. Empty where there is none. */
  comment(desc: Described): string;
};

/** Rules of a field, or undefined where it has none. */
export const rulesOf = (field: DescField): FieldRules | undefined =>
  hasOption(field, fieldOption) ? getOption(field, fieldOption) : undefined;

/** Package without the system's name and version: `orders` for `souk.orders.v1`. */
export const domainOf = (file: DescFile): string => file.proto.package.split('.')[1] ?? file.proto.package;

/** Compiles the contracts of this checkout, with their comments. Takes about half a second. */
export function loadContracts(): Contracts {
  const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
  const args = [buf, 'build', '.', '--path', 'contracts/proto/souk', '--as-file-descriptor-set', '-o', '-'];
  const image = execFileSync(process.execPath, args, { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image, { readUnknownFields: true }));
  const files = [...registry.files]
    .filter((file) => file.proto.package.startsWith('souk.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const comments = new Map<Described, string>();
  for (const file of files) readComments(file, comments);
  const comment = (desc: Described): string => comments.get(desc) ?? '';
  const services = files.flatMap((file) => file.services.map((service) => toService(service, comment)));
  const events = [...createRegistry(...files)]
    .filter((desc) => desc.kind === 'message')
    .filter((desc) => hasOption(desc, eventOption))
    .map((desc) => {
      const { type, keyField } = getOption(desc, eventOption);
      return { desc, comment: comment(desc), type, keyField };
    });
  return { services, events, files, comment };
}

function toService(desc: DescService, comment: Contracts['comment']): Service {
  return {
    desc,
    tag: desc.name.replace(/Service$/, ''),
    comment: comment(desc),
    methods: desc.methods.map((method) => ({
      desc: method,
      comment: comment(method),
      rules: getOption(method, methodOption),
      route: toRoute(method),
      reads: method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
    })),
  };
}

function toRoute(method: DescMethod): Route | undefined {
  if (!hasOption(method, httpOption)) return undefined;
  const { pattern, body } = getOption(method, httpOption);
  if (pattern.case === undefined || pattern.case === 'custom')
    throw new Error(`${method}: a verb of its own is not supported`);
  const path = pattern.value;
  const pathFields = [...path.matchAll(/\{([^}=]+)[^}]*\}/g)].map(([, name]) => name ?? '');
  return { verb: pattern.case, path, pathFields, body };
}

/** Field numbers of descriptor.proto, of which the paths in source information are made. */
const PATH = { message: 4, enum: 5, service: 6, field: 2, nestedMessage: 3, nestedEnum: 4, value: 2, method: 2 };

function readComments(file: DescFile, into: Map<Described, string>): void {
  const byPath = new Map<string, string>();
  for (const { path, leadingComments } of file.proto.sourceCodeInfo?.location ?? []) {
    byPath.set(path.join('.'), toParagraphs(leadingComments));
  }
  const put = (desc: Described, path: readonly number[]): void => {
    into.set(desc, byPath.get(path.join('.')) ?? '');
  };
  const putEnum = (desc: DescEnum, path: readonly number[]): void => {
    put(desc, path);
    desc.values.forEach((value, i) => {
      put(value, [...path, PATH.value, i]);
    });
  };
  const putMessage = (desc: DescMessage, path: readonly number[]): void => {
    put(desc, path);
    desc.fields.forEach((field, i) => {
      put(field, [...path, PATH.field, i]);
    });
    desc.nestedEnums.forEach((nested, i) => {
      putEnum(nested, [...path, PATH.nestedEnum, i]);
    });
    // Entries of maps are messages too, and count in the path.
    desc.proto.nestedType.forEach((nested, i) => {
      const message = desc.nestedMessages.find((candidate) => candidate.proto === nested);
      if (message !== undefined) putMessage(message, [...path, PATH.nestedMessage, i]);
    });
  };
  file.messages.forEach((message, i) => {
    putMessage(message, [PATH.message, i]);
  });
  file.enums.forEach((desc, i) => {
    putEnum(desc, [PATH.enum, i]);
  });
  file.services.forEach((service, i) => {
    put(service, [PATH.service, i]);
    service.methods.forEach((method, j) => {
      put(method, [PATH.service, i, PATH.method, j]);
    });
  });
  // The comment of a file stands before its syntax, field 12.
  put(file, [12]);
}

const toParagraphs = (comment: string): string =>
  comment
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/\s*\n\s*/g, ' ').trim())
    .join('\n\n');
