import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { HttpHandler } from '@souk/host';
import { AFFINITY_HEADER } from '@souk/rpc';

/** What requests from outside stick by: `none`, `address`, or `cookie:<name>`. */
export const AFFINITY = /none|address|cookie:[\w-]{1,64}/;

/** Enough that two clients hardly share one. */
const KEY_CHARACTERS = 16;

/**
 * Gives requests without a wish of their own one: the same client, the same instance of each service that is balanced by key. What it sticks by goes no
 * further than here: calls carry a hash of it.
 */
export function withAffinity(handler: HttpHandler, by: string): HttpHandler {
  if (by === 'none') return handler;
  return (request, response) => {
    const found = request.headers[AFFINITY_HEADER] === undefined ? sourceOf(request, by) : undefined;
    if (found !== undefined) {
      const key = createHash('sha256').update(found).digest('base64url').slice(0, KEY_CHARACTERS);
      request.headers[AFFINITY_HEADER] = key;
    }
    handler(request, response);
  };
}

function sourceOf({ headers, socket }: IncomingMessage, by: string): string | undefined {
  if (by === 'address') return socket.remoteAddress;
  const name = by.slice('cookie:'.length);
  for (const pair of (headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || undefined;
  }
  return undefined;
}
