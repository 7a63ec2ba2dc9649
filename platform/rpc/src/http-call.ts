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
  /** @throws RPC_BODY_TOO_LARGE, SOUK_CANCELED */
  readBody(): Promise<Uint8Array>;
  /** Who calls. @param isPublic The method is for anybody: a token that is not good means nobody rather than a refusal. */
  authenticate(isPublic: boolean): Promise<Caller>;
}

export interface HttpReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
}

/** Where a request goes. */
export interface HttpTarget {
  /** Template of the path, for metrics: from a small closed set. */
  readonly route: string;
  /** How much depends on it. Undefined: never refused for overload, as health and metrics, which must be seen just then. */
  readonly criticality?: Criticality | undefined;
  /** @throws SoukError */
  handle(call: HttpCall): Promise<HttpReply>;
  /** Says an error in the words of the protocol. */
  fail(error: SoukError, call: HttpCall): HttpReply;
}

/** Finds the target of a request; undefined: not for this protocol. @throws RPC_BAD_PATH */
export type HttpProtocol = (verb: string, path: string) => HttpTarget | undefined;
