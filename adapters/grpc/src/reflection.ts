import { type DescEnum, type DescFile, type DescMessage, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { AddOptions, Handlers, Router } from '@souk/rpc';
import { type ReflectionRequest, ReflectionV1, ReflectionV1Alpha } from './grpc-contracts.ts';

export interface GrpcReflectionOptions {
  readonly router: Router;
  /** Who may learn what is served here. @default 'public': it is in the description of the API as well */
  readonly access?: NonNullable<AddOptions['rules']>['access'];
}

const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

/** Tells tools such as grpcurl what the router serves: services, and the files that describe them. */
export function addGrpcReflection(options: GrpcReflectionOptions): void {
  const { router, access = 'public' } = options;
  let index = indexOf(router);
  const current = (): Index => {
    // Services may be added while the server runs.
    if (index.size !== sizeOf(router)) index = indexOf(router);
    return index;
  };
  const handlers: Handlers<typeof ReflectionV1> = {
    serverReflectionInfo: async function* (_ctx, requests) {
      for await (const request of requests) {
        const { host } = request;
        // Between the two versions of the protocol, messages differ by name alone.
        yield { validHost: host, originalRequest: request, messageResponse: answer(current(), request) } as never;
      }
    },
  };
  const rules = { rules: { access } };
  router.add(ReflectionV1, handlers, rules);
  router.add(ReflectionV1Alpha, handlers as Handlers<typeof ReflectionV1Alpha>, rules);
}

interface Index {
  /** Methods of the router when this was made. */
  readonly size: number;
  readonly services: readonly DescService[];
  readonly files: ReadonlyMap<string, DescFile>;
  /** Full names of everything in the files. */
  readonly symbols: ReadonlyMap<string, DescFile>;
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

const sizeOf = ({ methods, streams }: Router): number => methods.size + streams.size;

function indexOf(router: Router): Index {
  const methods = [...router.methods.values(), ...router.streams.values()];
  const services = [...new Set(methods.map(({ service }) => service))];
  services.sort((one, other) => (one.typeName < other.typeName ? -1 : 1));
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  const visit = (file: DescFile): void => {
    const { name } = file.proto;
    if (files.has(name)) return;
    files.set(name, file);
    for (const symbol of symbolsOf(file)) symbols.set(symbol, file);
    for (const extension of file.extensions) {
      const numbers = extensions.get(extension.extendee.typeName) ?? new Map<number, DescFile>();
      extensions.set(extension.extendee.typeName, numbers.set(extension.number, file));
      symbols.set(extension.typeName, file);
    }
    file.dependencies.forEach(visit);
  };
  for (const { file } of services) visit(file);
  return { size: sizeOf(router), services, files, symbols, extensions };
}

function* symbolsOf(file: DescFile): Generator<string> {
  for (const message of file.messages) yield* symbolsOfMessage(message);
  for (const each of file.enums) yield* symbolsOfEnum(each);
  for (const service of file.services) {
    yield service.typeName;
    for (const method of service.methods) yield `${service.typeName}.${method.name}`;
  }
}

function* symbolsOfMessage(message: DescMessage): Generator<string> {
  yield message.typeName;
  for (const field of message.fields) yield `${message.typeName}.${field.name}`;
  for (const nested of message.nestedMessages) yield* symbolsOfMessage(nested);
  for (const nested of message.nestedEnums) yield* symbolsOfEnum(nested);
}

/** Values of an enum are named beside it, not inside. */
function* symbolsOfEnum({ typeName, values }: DescEnum): Generator<string> {
  yield typeName;
  const scope = typeName.slice(0, typeName.lastIndexOf('.') + 1);
  for (const value of values) yield `${scope}${value.name}`;
}

function answer(index: Index, { messageRequest: asked }: ReflectionRequest) {
  switch (asked.case) {
    case 'listServices':
      return response('listServicesResponse', { service: index.services.map(({ typeName }) => ({ name: typeName })) });
    case 'fileByFilename':
      return fileAnswer(index.files.get(asked.value));
    case 'fileContainingSymbol':
      return fileAnswer(index.symbols.get(asked.value));
    case 'fileContainingExtension':
      return fileAnswer(index.extensions.get(asked.value.containingType)?.get(asked.value.extensionNumber));
    case 'allExtensionNumbersOfType': {
      if (!index.symbols.has(asked.value)) return failed(NOT_FOUND, 'there is no such type here');
      const numbers = [...(index.extensions.get(asked.value)?.keys() ?? [])];
      return response('allExtensionNumbersResponse', { baseTypeName: asked.value, extensionNumber: numbers });
    }
    default:
      return failed(INVALID_ARGUMENT, 'the request asks for nothing');
  }
}

const response = (name: string, value: object) => ({ case: name, value });
const failed = (errorCode: number, errorMessage: string) => response('errorResponse', { errorCode, errorMessage });

/** The file with all that it imports, so that nobody has to ask again. */
function fileAnswer(file: DescFile | undefined) {
  if (file === undefined) return failed(NOT_FOUND, 'there is no such file, symbol or extension here');
  const found = new Set<DescFile>();
  const visit = (each: DescFile): void => {
    if (found.has(each)) return;
    found.add(each);
    each.dependencies.forEach(visit);
  };
  visit(file);
  const files = [...found].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return response('fileDescriptorResponse', { fileDescriptorProto: files });
}
