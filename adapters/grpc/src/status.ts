import { Code, ConnectError } from '@connectrpc/connect';
import { errorFromJson, errorToJson } from '@connectrpc/connect/protocol-connect';
import { findTrailerError, setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import type { SoukError } from '@souk/kernel';
import { fromConnectError, toConnectError } from '@souk/rpc';

const OK: Readonly<Record<string, string>> = Object.freeze({ 'grpc-status': '0' });

/** How a call ended, as gRPC says it: code and message, and what else there is as details of google.rpc. */
export function statusTrailers(error: SoukError | undefined): Readonly<Record<string, string>> {
  if (error === undefined) return OK;
  const { code, message, details } = toConnectError(error);
  const json = { code, message, details: details.map(({ type, value }) => ({ type, value })) };
  const trailers = new Headers();
  setTrailerStatus(trailers, errorFromJson(json, undefined, new ConnectError(message, Code.Unknown)));
  // The library encodes more than the protocol says, and others decode just that.
  trailers.set('grpc-message', encodeMessage(message));
  return Object.fromEntries(trailers);
}

/** Percent-encodes what is not printable ASCII, and the percent sign. */
const encodeMessage = (message: string): string =>
  message.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]+/g, (part) => encodeURIComponent(part));

/** The error that trailers tell of; undefined: there is none. Undefined and no `grpc-status`: they are no trailers of gRPC. */
export function readStatus(trailers: Headers): SoukError | undefined {
  const error = findTrailerError(trailers);
  return error && fromConnectError(errorToJson(error, undefined), 200);
}

/** The end of a stream of Connect. */
export const endStream = (error: SoukError | undefined): Uint8Array =>
  Buffer.from(JSON.stringify(error === undefined ? {} : { error: toConnectError(error) }));

/** Trailers in the body, as gRPC-Web has them. */
export const webTrailers = (error: SoukError | undefined): Uint8Array =>
  Buffer.from(
    Object.entries(statusTrailers(error))
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join(''),
  );
