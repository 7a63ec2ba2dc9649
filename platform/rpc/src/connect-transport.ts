import { fromUnknown, hasReason, isSoukError } from '@souk/kernel';
import { fromConnectError } from './connect-error.ts';
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
  /** Added to every call: a credential, for example. Asked for each call. */
  readonly headers?: () => Readonly<Record<string, string>>;
}

/** Carries calls over HTTP by the Connect protocol. */
export function createConnectTransport(options: ConnectTransportOptions): Transport {
  const baseUrl = options.baseUrl.replace(/\/$/, '');
  return {
    send: async (request) => {
      const { method, codec, timeoutMs } = request;
      const service = method.slice(0, method.indexOf('/'));
      const type = `application/${codec}`;
      const headers: Record<string, string> = {
        ...request.headers,
        ...options.headers?.(),
        'content-type': type,
        'connect-protocol-version': '1',
      };
      const limits: AbortSignal[] = request.signal ? [request.signal] : [];
      if (timeoutMs !== undefined && Number.isFinite(timeoutMs)) {
        headers['connect-timeout-ms'] = String(Math.max(1, Math.floor(timeoutMs)));
        limits.push(AbortSignal.timeout(Math.max(1, timeoutMs)));
      }
      const body = request.body as Uint8Array<ArrayBuffer>;
      try {
        const signal = AbortSignal.any(limits);
        const response = await options.fetch(`${baseUrl}/${method}`, { method: 'POST', headers, body, signal });
        const answer = new Uint8Array(await response.arrayBuffer());
        if (response.status !== 200) throw fromConnectError(parse(answer), response.status);
        if (response.headers.get('content-type')?.split(';')[0] !== type) throw rpcErrors.BAD_ANSWER({ service });
        return { headers: {}, body: answer };
      } catch (thrown) {
        throw explain(thrown, service);
      }
    },
  };
}

/** The body of an error may be anything when a proxy wrote it. */
function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
}

function explain(thrown: unknown, service: string) {
  const error = fromUnknown(thrown);
  if (isSoukError(thrown) || !hasReason(error, 'SOUK_INTERNAL')) return error;
  return rpcErrors.UNREACHABLE({ service }, { cause: thrown });
}
