import { fromConnectError } from './connect-error.ts';
import { rpcErrors } from './errors.ts';
import { notSent } from './not-sent.ts';
import type { WireResponse } from './wire.ts';

/** An answer over HTTP, read to its end and not compressed any more. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const TYPES = { proto: 'application/proto', json: 'application/json' } as const;
/** What a server says that has its port but takes no calls: nobody has looked at the call. */
const NOT_READY = 'HOST_NOT_READY';

/**
 * Reads the answer to a unary call in the Connect protocol.
 * @param service For error texts.
 * @throws the error that the other side told; RPC_BAD_ANSWER, RPC_NOT_SENT
 */
export function readConnectAnswer(answer: HttpAnswer, codec: 'proto' | 'json', service: string): WireResponse {
  const { status, contentType, body } = answer;
  if (status === 200) {
    if (contentType !== TYPES[codec] && contentType?.split(';')[0] !== TYPES[codec])
      throw rpcErrors.BAD_ANSWER({ service });
    return { headers: NO_HEADERS, body };
  }
  const said = parse(body);
  const error = fromConnectError(said, status);
  if (status === 503 && (said as { code?: unknown } | undefined)?.code === NOT_READY) throw notSent(service, error);
  throw error;
}

/** The body of an error may be anything when a proxy wrote it. */
function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}
