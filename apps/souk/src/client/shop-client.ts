import { appErrors } from '../errors.ts';

/** Talks to a running shop over REST, as anybody could. */
export interface ShopClient {
  /** @throws APP_NOT_RUNNING, APP_REFUSED with what the shop said */
  call<T>(verb: string, path: string, options?: CallOptions): Promise<T>;
  readonly url: string;
}

interface CallOptions {
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Problem {
  readonly detail?: string;
  readonly title?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

export function createShopClient(url: string): ShopClient {
  const origin = url.replace(/\/$/, '');
  return {
    url: origin,
    call: async <T>(verb: string, path: string, { body, token, headers }: CallOptions = {}): Promise<T> => {
      const response = await send(origin, path, {
        method: verb,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const answer: unknown = await response.json().catch(() => undefined);
      if (response.ok) return answer as T;
      throw appErrors.REFUSED({
        what: `${verb} ${path}`,
        why: explain(response.status, answer as Problem | undefined),
      });
    },
  };
}

async function send(origin: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(`${origin}${path}`, init);
  } catch (cause) {
    throw appErrors.NOT_RUNNING({ url: origin }, { cause });
  }
}

function explain(status: number, problem: Problem | undefined): string {
  const text = problem?.detail ?? problem?.title ?? 'no reason given';
  const fields = (problem?.errors ?? []).map(({ pointer, detail }) => `${pointer}: ${detail}`);
  return [`${text} (${status})`, ...fields].join('; ');
}
