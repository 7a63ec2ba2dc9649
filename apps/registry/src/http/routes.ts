import type { IncomingHttpHeaders } from 'node:http';

/** A request as an endpoint sees it. */
export interface RegistryRequest {
  readonly method: string;
  /** Before decoding, without the query: `/v1/kv/a%2Fb`. */
  readonly rawPath: string;
  /** What the pattern of the route named, decoded; empty when the path ends there. */
  readonly param: string;
  /** Every value of every parameter: `query.getAll('tag')`. A bare `?recurse` is there with an empty value. */
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** As it came; empty for none. */
  readonly body: Buffer;
  /** Aborts when the client hangs up or the registry stops. */
  readonly signal: AbortSignal;
}

/** An answer: at most one of `json`, `text` and `bytes`. */
export interface Reply {
  /** Default 200. */
  readonly status?: number;
  /** Laid out for people when they asked for it with `?pretty`. `undefined` is no body; `null` is `null`. */
  readonly json?: unknown;
  /** `text/plain`, unless `headers` says otherwise. */
  readonly text?: string;
  /** `application/octet-stream`, unless `headers` says otherwise. */
  readonly bytes?: Uint8Array;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For `X-Consul-Index` and its companions, where the route has no `resource`. At least 1. */
  readonly index?: number;
}

interface AnyRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /**
   * A path, which may end in one parameter: `/v1/kv/:key`. The parameter takes all the rest, slashes too, and may be empty. The longest
   * path that fits wins.
   */
  readonly path: string;
}

/**
 * A read that clients may wait on. The server takes `index` and `wait` from the query, waits until the index of the resource is above,
 * and adds the headers. `handle` runs once per state of the resource and distinct query, and the same bytes go to everybody who asks for
 * the same: it must depend on nothing but the parameter, the query, and state whose every change touches the resource.
 */
export interface BlockingRoute extends AnyRoute {
  readonly method: 'GET';
  /** What it waits for. May throw for what is wrong in the request. Undefined: as for a plain route. */
  resource(request: RegistryRequest): string | undefined;
  handle(request: RegistryRequest): Reply;
}

/** Anything else. */
export interface PlainRoute extends AnyRoute {
  readonly resource?: undefined;
  /** Largest body in bytes; more is refused with 413. Default 512 KiB. */
  readonly maxBodyBytes?: number;
  /** Changes go through `Commits.run`, and the answer waits for it. */
  handle(request: RegistryRequest): Reply | Promise<Reply>;
}

/**
 * An endpoint. What it throws becomes a plain text with the status of the error: `http` of its catalogue entry, else 400 for
 * `invalid_argument`, 403 `permission_denied`, 404 `not_found`, 409 `aborted`, 429 `resource_exhausted`, 500 for others.
 */
export type Route = BlockingRoute | PlainRoute;
