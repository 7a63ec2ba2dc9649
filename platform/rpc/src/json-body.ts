import { isUtf8 } from 'node:buffer';
import { rpcErrors } from './errors.ts';

/**
 * Parses a body as JSON. An empty body is an empty object.
 * @throws RPC_MALFORMED_BODY, with the position where JSON ends to make sense
 */
export function parseJsonBody(body: Uint8Array): unknown {
  if (body.length === 0) return {};
  if (!isUtf8(body)) throw rpcErrors.MALFORMED_BODY({ why: 'it is not UTF-8' });
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Only the position: the parser's text repeats the body.
    const position = /position (\d+)/.exec(String(cause))?.[1];
    const why = position === undefined ? 'it is not JSON' : `it is not JSON from position ${position} on`;
    throw rpcErrors.MALFORMED_BODY({ why }, { cause });
  }
}
