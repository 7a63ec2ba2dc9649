import { parseContentType as parseConnect } from '@connectrpc/connect/protocol-connect';
import { parseContentType as parseGrpc } from '@connectrpc/connect/protocol-grpc';
import { parseContentType as parseGrpcWeb } from '@connectrpc/connect/protocol-grpc-web';

export type FramedProtocol = 'grpc' | 'grpc-web' | 'connect';

/** What a request is written in. */
export interface FramedType {
  readonly protocol: FramedProtocol;
  readonly codec: 'proto' | 'json';
  /** gRPC-Web for clients that cannot read bytes: base64. */
  readonly isText: boolean;
  /** The content type of the answer. */
  readonly answers: string;
}

/** @returns undefined for what is not framed: single calls of Connect, REST, anything else */
export function readFramedType(header: string | undefined): FramedType | undefined {
  if (header === undefined) return undefined;
  const type = header.toLowerCase();
  if (type.startsWith('application/grpc-web')) {
    const parsed = parseGrpcWeb(type);
    if (parsed === undefined) return undefined;
    const codec = parsed.binary ? 'proto' : 'json';
    const base = parsed.text ? 'application/grpc-web-text' : 'application/grpc-web';
    return { protocol: 'grpc-web', codec, isText: parsed.text, answers: `${base}+${codec}` };
  }
  if (type.startsWith('application/grpc')) {
    const parsed = parseGrpc(type);
    if (parsed === undefined) return undefined;
    const codec = parsed.binary ? 'proto' : 'json';
    return { protocol: 'grpc', codec, isText: false, answers: `application/grpc+${codec}` };
  }
  if (!type.startsWith('application/connect+')) return undefined;
  const parsed = parseConnect(type);
  if (parsed === undefined) return undefined;
  const codec = parsed.binary ? 'proto' : 'json';
  return { protocol: 'connect', codec, isText: false, answers: `application/connect+${codec}` };
}
