import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isSoukError } from '@souk/kernel';
import { kubernetesErrors } from './errors.ts';
import { Lines } from './lines.ts';
import type { KubernetesSettings } from './options.ts';

const LONGEST_BODY = 64 * 1024 * 1024;
const LONGEST_REFUSAL = 64 * 1024;
const LONGEST_TEXT = 300;
/** How soon a connection over which nothing comes is asked whether the other side still lives. */
const KEEP_ALIVE_MS = 10_000;

export type Query = Readonly<Record<string, string>>;

export interface StreamInit {
  readonly query: Query;
  readonly signal: AbortSignal;
  /** The stream is cut when it is longer than that. Milliseconds. */
  readonly limitMs: number;
  /** The server has accepted it. */
  onOpen(): void;
  /** What it throws ends the stream. */
  onLine(line: string): void;
}

/** The little of the Kubernetes API that discovery needs, over HTTP/1.1. */
export class Api {
  readonly #settings: KubernetesSettings;
  readonly #agent: HttpAgent;

  constructor(settings: KubernetesSettings) {
    this.#settings = settings;
    const { apiUrl, ca } = settings;
    const keep = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS };
    this.#agent =
      apiUrl.protocol === 'https:'
        ? new HttpsAgent({ ...keep, ...(ca === undefined ? {} : { ca }) })
        : new HttpAgent(keep);
  }

  /**
   * One answer, whole.
   *
   * @throws KUBERNETES_NO_ANSWER, _UNREACHABLE, _REFUSED, _EXPIRED or _UNREADABLE
   */
  async get(what: string, query: Query, signal: AbortSignal): Promise<unknown> {
    const { callMs } = this.#settings;
    return this.#limited(what, callMs, signal, async (inner) => {
      const answer = await this.#open(what, query, inner);
      const text = await readAll(answer, what, LONGEST_BODY);
      try {
        return JSON.parse(text);
      } catch (cause) {
        throw kubernetesErrors.UNREADABLE({ what, why: 'it is no JSON' }, { cause });
      }
    });
  }

  /**
   * Lines as they come. Resolves when the server ends the stream.
   *
   * @throws as `get`, and what `onLine` throws
   */
  async stream(what: string, { query, signal, limitMs, onOpen, onLine }: StreamInit): Promise<void> {
    const answer = await this.#limited(what, this.#settings.callMs, signal, (inner) => this.#open(what, query, inner));
    const timer = this.#settings.runtime.timers.after(limitMs, () => answer.destroy());
    const stop = () => answer.destroy();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    answer.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const lines = new Lines();
    onOpen();
    try {
      for await (const chunk of answer) {
        for (const line of lines.push(chunk)) onLine(line);
        if (lines.overflown) throw kubernetesErrors.UNREADABLE({ what, why: 'a line that does not end' });
      }
      if (lines.pending > 0) throw kubernetesErrors.UNREADABLE({ what, why: 'it ends within a line' });
    } catch (thrown) {
      throw asUnreachable(thrown);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', stop);
      answer.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Runs `work`, whose signal aborts after so long. */
  async #limited<T>(
    what: string,
    ms: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const control = new AbortController();
    const noAnswer = () => control.abort(kubernetesErrors.NO_ANSWER({ what, ms }));
    const timer = this.#settings.runtime.timers.after(ms, noAnswer);
    try {
      return await work(AbortSignal.any([signal, control.signal]));
    } catch (thrown) {
      throw control.signal.aborted ? control.signal.reason : asUnreachable(thrown);
    } finally {
      timer.cancel();
    }
  }

  async #open(what: string, query: Query, signal: AbortSignal): Promise<IncomingMessage> {
    const { apiUrl, namespace, token } = this.#settings;
    const base = apiUrl.pathname.replace(/\/$/, '');
    const path = `${base}/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
    const bearer = token === undefined ? undefined : (await token()).trim();
    const headers = {
      accept: 'application/json',
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = apiUrl.protocol === 'https:' ? requestHttps : requestHttp;
    const url = new URL(`${path}?${new URLSearchParams(query)}`, apiUrl);
    signal.throwIfAborted();
    request(url, { agent: this.#agent, headers, signal }).on('response', resolve).on('error', reject).end();
    const answer = await promise;
    if (answer.statusCode !== 200) throw await refusal(answer, what, query);
    return answer;
  }
}

async function readAll(answer: IncomingMessage, what: string, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > most) throw kubernetesErrors.UNREADABLE({ what, why: `it has more than ${most} bytes` });
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function refusal(answer: IncomingMessage, what: string, { resourceVersion = '' }: Query): Promise<unknown> {
  const status = answer.statusCode ?? 0;
  const body = await readAll(answer, what, LONGEST_REFUSAL).catch(() => '');
  if (status === 410) return kubernetesErrors.EXPIRED({ version: resourceVersion });
  const seconds = Number(answer.headers['retry-after']);
  const extras = seconds > 0 ? { afterMs: seconds * 1000 } : {};
  return kubernetesErrors.REFUSED({ what, status, why: statusText(body) }, extras);
}

/** What a `Status` object of the API says; of anything else nothing is repeated. */
function statusText(body: string): string {
  try {
    const { kind, message } = JSON.parse(body);
    return kind === 'Status' && typeof message === 'string' ? message.slice(0, LONGEST_TEXT) : 'no reason given';
  } catch {
    return 'no reason given';
  }
}

function asUnreachable(thrown: unknown): unknown {
  if (isSoukError(thrown)) return thrown;
  const { code, message } = thrown as NodeJS.ErrnoException;
  return kubernetesErrors.UNREACHABLE({ why: code ?? message }, { cause: thrown });
}
