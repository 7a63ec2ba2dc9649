import { fromUnknown, hasReason, isSoukError, type Runtime } from '@souk/kernel';
import { formatTraceparent } from '@souk/telemetry';
import { readConnectAnswer } from './connect-answer.ts';
import { createDeadlines } from './deadline.ts';
import { rpcErrors } from './errors.ts';
import type { Transport } from './wire.ts';

/** What this needs of `fetch`: the global one fits. */
export type Fetch = (
  url: string,
  init: { method: 'POST'; headers: Record<string, string>; body: Uint8Array<ArrayBuffer>; signal: AbortSignal },
) => Promise<{
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  arrayBuffer(): Promise<ArrayBuffer>;
}>;

export interface ConnectTransportOptions {
  /** Where the services are: `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  readonly fetch: Fetch;
  /** Keeps deadlines. */
  readonly runtime: Runtime;
  /** Added to every call: a credential, for example. Asked for each call. */
  readonly headers?: () => Readonly<Record<string, string>>;
}

/** Carries calls over HTTP by the Connect protocol. */
export function createConnectTransport(options: ConnectTransportOptions): Transport {
  const baseUrl = options.baseUrl.replace(/\/$/, '');
  const deadlines = createDeadlines(options.runtime);
  return {
    send: async (request) => {
      const { method, codec, timeoutMs, trace } = request;
      const service = method.slice(0, method.indexOf('/'));
      const type = `application/${codec}`;
      const headers: Record<string, string> = {
        ...request.headers,
        ...options.headers?.(),
        'content-type': type,
        'connect-protocol-version': '1',
      };
      if (trace !== undefined) headers.traceparent = formatTraceparent(trace);
      if (trace?.tracestate !== undefined) headers.tracestate = trace.tracestate;
      const limit = Number.isFinite(timeoutMs)
        ? Math.max(1, Math.floor(timeoutMs as number))
        : Number.POSITIVE_INFINITY;
      if (limit !== Number.POSITIVE_INFINITY) headers['connect-timeout-ms'] = String(limit);
      const over = new AbortController();
      const body = request.body as Uint8Array<ArrayBuffer>;
      try {
        const exchange = async () => {
          const url = `${baseUrl}/${method}`;
          const response = await options.fetch(url, { method: 'POST', headers, body, signal: over.signal });
          return { response, answer: new Uint8Array(await response.arrayBuffer()) };
        };
        const { response, answer } = await deadlines.within(limit, request.signal, exchange());
        const contentType = response.headers.get('content-type') ?? undefined;
        return readConnectAnswer({ status: response.status, contentType, body: answer }, codec, service);
      } catch (thrown) {
        throw explain(thrown, service);
      } finally {
        // Ends an exchange that nobody waits for any more; one that is over takes no notice.
        over.abort();
      }
    },
  };
}

function explain(thrown: unknown, service: string) {
  const error = fromUnknown(thrown);
  if (isSoukError(thrown) || !hasReason(error, 'SOUK_INTERNAL')) return error;
  return rpcErrors.UNREACHABLE({ service }, { cause: thrown });
}
