import type { IncomingHttpHeaders } from 'node:http';
import type { Caller, SoukError, TraceContext } from '@souk/kernel';
import type { Criticality } from '@souk/resilience';

/** An HTTP request on its way to a protocol. */
export interface HttpCall {
  readonly verb: string;
  /** As sent, without the query. */
  readonly path: string;
  /** As sent, without the question mark; empty without one. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly trace: TraceContext;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  /** Whether request and reply can flow at the same time: HTTP/2. */
  readonly fullDuplex: boolean;
  /** @param limit Bytes. Default: the server's own. @throws RPC_BODY_TOO_LARGE, SOUK_CANCELED */
  readBody(limit?: number): Promise<Uint8Array>;
  /**
   * The body as it comes, no faster than it is taken; instead of `readBody`.
   * @param knowsEnd Whoever reads knows by itself whether the body is complete: it need not be made sure of. @default false
   * @throws SOUK_CANCELED when the client is gone
   */
  bodyChunks(knowsEnd?: boolean): AsyncIterable<Uint8Array>;
  /** Who calls. @param isPublic The method is for anybody: a token that is not good means nobody rather than a refusal. */
  authenticate(isPublic: boolean): Promise<Caller>;
}

export interface HttpReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * All at once, or piece by piece: the next is asked for when the client has room for it, and the iteration is ended when the client is gone.
   * An iteration that fails breaks the connection off: a protocol says its errors in its own words.
   */
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array | string> | undefined;
  /** Without the headers of every reply: for programs, which know their trace and look at no page. @default false */
  readonly isTerse?: boolean | undefined;
  /** Asked for when the body is at its end. */
  readonly trailers?: (() => Readonly<Record<string, string>>) | undefined;
}

/** Where a request goes. */
export interface HttpTarget {
  /** Template of the path, for metrics: from a small closed set. */
  readonly route: string;
  /** How much depends on it. Undefined: never refused for overload, as health and metrics, which must be seen just then. */
  readonly criticality?: Criticality | undefined;
  /** It will rather wait than work, as streams do: it passes the policy `server:waiting`. */
  readonly waits?: boolean | undefined;
  /** @throws SoukError */
  handle(call: HttpCall): Promise<HttpReply>;
  /** Says an error in the words of the protocol. */
  fail(error: SoukError, call: HttpCall): HttpReply;
}

/** Finds the target of a request; undefined: not for this protocol. @throws RPC_BAD_PATH */
export type HttpProtocol = (verb: string, path: string, headers?: IncomingHttpHeaders) => HttpTarget | undefined;
