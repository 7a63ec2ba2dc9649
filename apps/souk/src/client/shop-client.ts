import { setTimeout as sleep } from 'node:timers/promises';
import { appErrors } from '../errors.ts';

/** Times that a shop which is overloaded is asked to show something. */
const LOOKS = 4;
const LONGEST_WAIT_MS = 5000;

/** Talks to a running shop over REST, as anybody could. Waits and looks again when a shop that has too much to do says when. */
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
      const request: RequestInit = {
        method: verb,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      };
      const response = await send(origin, path, request, verb === 'GET' ? LOOKS : 1);
      const answer: unknown = await response.json().catch(() => undefined);
      if (response.ok) return answer as T;
      throw appErrors.REFUSED({
        what: `${verb} ${path}`,
        why: explain(response.status, answer as Problem | undefined),
      });
    },
  };
}

async function send(origin: string, path: string, init: RequestInit, times: number): Promise<Response> {
  const response = await fetch(`${origin}${path}`, init).catch((cause) => {
    throw appErrors.NOT_RUNNING({ url: origin }, { cause });
  });
  const waitMs = Number(response.headers.get('retry-after') ?? Number.NaN) * 1000;
  if (response.status !== 503 || times <= 1 || !(waitMs <= LONGEST_WAIT_MS)) return response;
  await response.arrayBuffer();
  await sleep(waitMs);
  return send(origin, path, init, times - 1);
}

function explain(status: number, problem: Problem | undefined): string {
  const text = problem?.detail ?? problem?.title ?? 'no reason given';
  const fields = (problem?.errors ?? []).map(({ pointer, detail }) => `${pointer}: ${detail}`);
  return [`${text} (${status})`, ...fields].join('; ');
}
