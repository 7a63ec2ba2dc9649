import { type DescMethod, fromBinary, type Message } from '@bufbuild/protobuf';
import type { Caller, Context } from '@souk/kernel';
import { compileBinaryEncoder } from '@souk/schema';
import { rpcErrors } from './errors.ts';
import { AFFINITY_HEADER, VERSION_HEADER } from './wire.ts';

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** The headers that a call takes along. @param key The idempotency key. */
export function headersOf({ routing }: Context, key: string | undefined): Readonly<Record<string, string>> {
  if (key === undefined && routing === undefined) return NO_HEADERS;
  const headers: Record<string, string> = {};
  if (key !== undefined) headers['idempotency-key'] = key;
  if (routing?.version !== undefined) headers[VERSION_HEADER] = routing.version;
  if (routing?.affinity !== undefined) headers[AFFINITY_HEADER] = routing.affinity;
  return headers;
}

/** Who calls, as the other side sees it. */
export function callerOf({ caller }: Context, service: string | undefined): Caller {
  if (service === undefined || service === caller.service) return caller;
  return { userId: caller.userId, roles: caller.roles, service };
}

/** Encodes the requests of a method. What it gives throws RPC_BAD_CALL. */
export function callEncoder(desc: DescMethod, method: string): (request: Message) => Uint8Array {
  const encode = compileBinaryEncoder(desc.input);
  return (request) => {
    try {
      return encode(request);
    } catch (cause) {
      throw rpcErrors.BAD_CALL({ method }, { cause });
    }
  };
}

/** @throws RPC_BAD_ANSWER */
export function decodeAnswer(desc: DescMethod, service: string, body: Uint8Array): Message {
  try {
    return fromBinary(desc.output, body);
  } catch (cause) {
    throw rpcErrors.BAD_ANSWER({ service }, { cause });
  }
}
