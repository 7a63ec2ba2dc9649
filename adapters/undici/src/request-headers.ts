import type { WireRequest } from '@souk/rpc';
import { formatTraceparent } from '@souk/telemetry';

const TYPES = { proto: 'application/proto', json: 'application/json' } as const;

export interface HeaderWishes {
  /** Milliseconds that the caller still waits; `Infinity`: no limit. */
  readonly timeoutMs: number;
  readonly added: Readonly<Record<string, string>> | undefined;
  /** The body is compressed. */
  readonly isPacked: boolean;
  /** The answer may be. */
  readonly takesPacked: boolean;
}

/** Names and values in turn: the head of a unary call in the Connect protocol. */
export function requestHeaders(request: WireRequest, wishes: HeaderWishes): string[] {
  const { trace, headers } = request;
  const { timeoutMs, added } = wishes;
  const list = ['content-type', TYPES[request.codec], 'connect-protocol-version', '1'];
  // At least 1: what has less time left would be told that it has none.
  if (timeoutMs !== Number.POSITIVE_INFINITY)
    list.push('connect-timeout-ms', String(Math.min(9_999_999_999, Math.max(1, Math.floor(timeoutMs)))));
  if (trace !== undefined) {
    list.push('traceparent', formatTraceparent(trace));
    if (trace.tracestate !== undefined) list.push('tracestate', trace.tracestate);
  }
  for (const name in headers) list.push(name, headers[name] as string);
  if (added !== undefined) for (const name in added) list.push(name, added[name] as string);
  if (wishes.isPacked) list.push('content-encoding', 'gzip');
  if (wishes.takesPacked) list.push('accept-encoding', 'gzip');
  return list;
}
