import { fileURLToPath } from 'node:url';
import {
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync, type Options } from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const root = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const options: Options = {
  includeDirs: [
    root('adapters/grpc/test/proto'),
    root('adapters/grpc/proto'),
    root('contracts/proto'),
    root('node_modules/protobufjs'),
  ],
  longs: Number,
  enums: String,
};

// biome-ignore lint/suspicious/noExplicitAny: what it loads at run time has no types.
type AnyClient = any;

/** A client of a service as its users make it: from the proto file, with nothing of ours. */
export function grpcClient(address: string, file: string, service: string, channel: object = {}): AnyClient {
  const loaded = loadPackageDefinition(loadSync(file, options)) as AnyClient;
  const Client = service.split('.').reduce((found, name) => found[name], loaded);
  return new Client(address, credentials.createInsecure(), channel);
}

export const echoClient = (address: string, channel: object = {}): AnyClient =>
  grpcClient(address, 'echo/v1/echo.proto', 'echo.v1.EchoService', channel);

export const unary = <T>(call: (callback: (error: ServiceError | null, value: T) => void) => unknown): Promise<T> =>
  new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))));

export const readAll = async <T>(stream: ClientReadableStream<T>): Promise<T[]> =>
  Array.fromAsync(stream as AsyncIterable<T>);

const rpcTypes = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message FieldViolation { string field = 1; string description = 2; }
  message BadRequest { repeated FieldViolation field_violations = 1; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
`).root;

/** The details of an error as any client of gRPC reads them. */
export function detailsOf(metadata: Metadata): { type: string; value: Record<string, unknown> }[] {
  const [bytes] = metadata.get('grpc-status-details-bin');
  const status = rpcTypes.lookupType('google.rpc.Status').decode(bytes as Buffer) as unknown as {
    details: { typeUrl: string; value: Uint8Array }[];
  };
  return status.details.map(({ typeUrl, value }) => {
    const type = typeUrl.slice(typeUrl.indexOf('/') + 1);
    const known = rpcTypes.lookupType(type);
    return { type, value: known.toObject(known.decode(value), { longs: Number }) };
  });
}
