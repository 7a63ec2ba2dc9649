// REST calls as any client could make them.

/** An answer, whatever its status. */
export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON, or the text of what is none. */
  readonly body: T;
}

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly traceId: string;
  readonly allowed?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array;
  readonly token?: string | undefined;
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Http {
  readonly url: string;
  /** Any status is an answer. @throws what fetch throws when there is none */
  call<T = Problem>(verb: string, path: string, options?: CallOptions): Promise<Answer<T>>;
  /** The body of a good answer. @throws HttpRefused */
  ok<T>(verb: string, path: string, options?: CallOptions): Promise<T>;
}

/** An answer that was not a good one. */
export class HttpRefused extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(what: string, { status, body }: Answer<Problem>) {
    super(`${what}: ${status} ${JSON.stringify(body)}`);
    this.status = status;
    this.problem = body;
  }
}

/** Longest wait for an answer, in milliseconds: more than any call of the shop takes. */
const PATIENCE_MS = 30_000;

/** @param at Where to call; its `url` may change. */
export function createHttp(at: { readonly url: string }): Http {
  const call = async <T>(verb: string, path: string, options: CallOptions = {}): Promise<Answer<T>> => {
    const { body, raw, token, key, headers } = options;
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(`${at.url}${path}`, {
      method: verb,
      headers: {
        ...(payload !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(key !== undefined && { 'idempotency-key': key }),
        ...headers,
      },
      ...(payload !== undefined && { body: payload as string | Uint8Array<ArrayBuffer> }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text) as T };
  };
  return {
    get url() {
      return at.url;
    },
    call,
    ok: async <T>(verb: string, path: string, options: CallOptions = {}): Promise<T> => {
      const answer = await call<T>(verb, path, options);
      if (answer.status >= 200 && answer.status < 300) return answer.body;
      throw new HttpRefused(`${verb} ${path}`, answer as Answer<Problem>);
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
