import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isSoukError, type SoukError } from '@souk/kernel';
import { consulErrors } from './errors.ts';
import type { ConsulSettings } from './options.ts';

export interface Call {
  readonly method: 'GET' | 'PUT';
  /** Below the URL of the registry: `/v1/agent/self`. Segments are encoded already. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** @default `requestMs` of the settings */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** `X-Consul-Index` as it came. */
  readonly index: string | undefined;
  /** What `Retry-After` asks for, milliseconds. */
  readonly retryAfterMs: number | undefined;
}

export interface HttpClient {
  /** Host and port, for errors. */
  readonly server: string;
  /** @throws CONSUL_UNREACHABLE, also when the time is over, the signal aborts or the answer is too long */
  send(call: Call): Promise<Answer>;
  close(): void;
}

/** Longest pause that a server may ask for. */
const MAX_RETRY_AFTER_MS = 60_000;
/** Idle sockets are given up before usual servers and balancers do. */
const IDLE_SOCKET_MS = 4000;

/** As much of HTTP as the API needs. Redirects are not followed: a token must not go where nobody sent it. */
export function createHttpClient(settings: ConsulSettings): HttpClient {
  const { url, token, tls, runtime, requestMs, maxAnswerBytes } = settings;
  const secure = url.protocol === 'https:';
  const pool = { keepAlive: true, timeout: IDLE_SOCKET_MS, scheduling: 'lifo' as const };
  const agent = secure ? new HttpsAgent({ ...pool, ...tls }) : new HttpAgent(pool);
  const server = url.host;
  const prefix = url.pathname.replace(/\/+$/, '');
  const unreachable = (why: string, cause?: unknown) => consulErrors.UNREACHABLE({ server, why }, { cause });

  const attempt = ({ method, path, query = {}, body, timeoutMs = requestMs, signal }: Call): Promise<Answer> => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, value);
    const target = `${prefix}${path}${parameters.size > 0 ? `?${parameters}` : ''}`;
    const payload = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      accept: 'application/json',
      ...(method === 'PUT' && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      ...(token !== undefined && { 'x-consul-token': token }),
    };
    const send = secure ? httpsRequest : httpRequest;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const request = send({ agent, host, port: url.port || undefined, path: target, method, headers });
    const fail = (error: SoukError) => {
      reject(error);
      request.destroy(error);
    };
    const onAbort = () => fail(unreachable('it was given up'));
    const timer = runtime.timers.after(timeoutMs, () => fail(unreachable(`no answer within ${timeoutMs} ms`)));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    request.on('error', (error) => {
      reject(isSoukError(error) ? error : unreachable(describe(error), error));
    });
    request.on('response', (response) => {
      collect(response, maxAnswerBytes, fail).then(resolve, (error) =>
        reject(isSoukError(error) ? error : unreachable(describe(error), error)),
      );
    });
    request.end(payload);
    const settled = promise.finally(() => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    });
    return settled.catch((error) => {
      // The server closed an idle socket in the moment we used it: nothing was sent into nowhere but this, and all of it may be repeated.
      if (request.reusedSocket && isReset(error) && !signal?.aborted) {
        return attempt({ method, path, query, body, timeoutMs, ...(signal && { signal }) });
      }
      throw error;
    });
  };

  /** @throws when the connection breaks in the middle of the answer */
  const collect = async (response: IncomingMessage, max: number, fail: (error: SoukError) => void): Promise<Answer> => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > max) fail(unreachable(`its answer has more than ${max} bytes`));
      else chunks.push(chunk);
    }
    const index = response.headers['x-consul-index'];
    return {
      status: response.statusCode ?? 0,
      text: Buffer.concat(chunks).toString('utf8'),
      index: Array.isArray(index) ? index[0] : index,
      retryAfterMs: retryAfter(response.headers['retry-after']),
    };
  };

  return { server, send: attempt, close: () => agent.destroy() };
}

function retryAfter(header: string | undefined): number | undefined {
  const seconds = Number(header);
  return header !== undefined && seconds >= 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : undefined;
}

const isReset = (error: unknown): boolean => {
  const cause = isSoukError(error) ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ECONNRESET' || cause?.code === 'EPIPE';
};

/** Node says of an address with two families only that all attempts failed. */
function describe(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return describe(thrown.errors[0]);
  return thrown instanceof Error ? thrown.message : String(thrown);
}
