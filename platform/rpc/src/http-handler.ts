import type { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import {
  ANONYMOUS,
  type Caller,
  fromUnknown,
  hasReason,
  type Logger,
  newTrace,
  type Runtime,
  type SoukError,
} from '@souk/kernel';
import type { PolicyRegistry } from '@souk/resilience';
import { formatTraceparent, parseTraceparent, type Telemetry } from '@souk/telemetry';
import { createAdmission } from './admission.ts';
import { connectHandler } from './connect-handler.ts';
import { rpcErrors } from './errors.ts';
import { bodyChunks, readBody } from './http-body.ts';
import type { HttpCall, HttpProtocol, HttpReply, HttpTarget } from './http-call.ts';
import { createHttpMetrics } from './http-metrics.ts';
import { writeReply } from './http-writer.ts';
import { problemReply } from './problem.ts';
import { restHandler } from './rest.ts';
import type { Router } from './router.ts';

export interface HttpHandlerOptions {
  readonly router: Router;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /**
   * Who sends a request, from its headers. Nobody may be believed for a header that anybody can write: `service` is for callers who prove it.
   * @throws an error of code `unauthenticated` for a credential that is not good
   */
  readonly authenticate: (headers: IncomingHttpHeaders) => Promise<Caller>;
  /** Finds the policies `server` and `server:waiting`, which calls pass at the door. @default none: everything is let in */
  readonly policies?: PolicyRegistry;
  readonly limits?: {
    /** Largest body, in bytes. @default 1048576 */
    readonly maxBodyBytes?: number;
  };
  /** Protocols that know their requests by the content type, tried in order before Connect and REST: gRPC, gRPC-Web, streams of Connect. */
  readonly framings?: readonly HttpProtocol[];
  /** What else is served, tried in order after Connect and REST: health, metrics, pages. */
  readonly protocols?: readonly HttpProtocol[];
}

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

const MAX_BODY_BYTES = 1_048_576;

/** Serves a router as Connect and as REST, over HTTP/1.1 and HTTP/2. Every request gets an answer, whatever fails. */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { runtime, telemetry, router } = options;
  const maxBodyBytes = options.limits?.maxBodyBytes ?? MAX_BODY_BYTES;
  const protocols = [
    ...(options.framings ?? []),
    connectHandler(router),
    restHandler(router, runtime),
    ...(options.protocols ?? []),
  ];
  const metrics = createHttpMetrics(telemetry);
  const admit = createAdmission(options.policies);

  const authenticate = async (headers: IncomingHttpHeaders, isPublic: boolean): Promise<Caller> => {
    try {
      return await options.authenticate(headers);
    } catch (error) {
      // Signing in must work with an old token in hand.
      if (isPublic && fromUnknown(error).code === 'unauthenticated') return ANONYMOUS;
      throw error;
    }
  };

  const newCall = (request: IncomingMessage, signal: AbortSignal): HttpCall => {
    const { headers } = request;
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    return {
      verb: request.method ?? 'GET',
      path: mark === -1 ? url : url.slice(0, mark),
      query: mark === -1 ? '' : url.slice(mark + 1),
      headers,
      trace:
        parseTraceparent(headers.traceparent as string | undefined, headers.tracestate as string | undefined) ??
        newTrace(runtime, true),
      signal,
      fullDuplex: request.httpVersionMajor >= 2,
      readBody: (limit) => readBody(request, limit ?? maxBodyBytes, runtime.timers),
      bodyChunks: (knowsEnd) => bodyChunks(request, knowsEnd ? undefined : runtime.timers),
      authenticate: (isPublic) => authenticate(headers, isPublic),
    };
  };

  return (request, response) => {
    const startedMs = runtime.clock.monotonicMs();
    metrics.connected(connectionOf(request));
    const gone = new AbortController();
    const call = newCall(request, gone.signal);
    let route = '(none)';
    response.on('close', () => {
      // Over HTTP/2, a reply that was cut off counts as finished.
      if (!response.writableFinished || !response.writableEnded) gone.abort();
      metrics.observe(call.verb, route, response.statusCode, (runtime.clock.monotonicMs() - startedMs) / 1000);
    });
    const answer = async (): Promise<void> => {
      let target: HttpTarget | undefined;
      let reply: HttpReply;
      try {
        target = findTarget(protocols, call);
        route = target.route;
        const found = target;
        reply = await admit(found, call, () => found.handle(call));
      } catch (thrown) {
        const error = fromUnknown(thrown);
        if (hasReason(error, 'SOUK_INTERNAL') && error.details.errorId === undefined) {
          logOf(telemetry, call).error('a request failed', { err: error });
        }
        reply = closeIfUnread((target?.fail ?? problemReply)(error, call), error);
      }
      const written = writeReply(response, call, reply, reply.isTerse === true ? undefined : headersOf(call));
      if (written !== undefined) await written;
    };
    // Only a reply that cannot be built or written gets here.
    answer().catch((thrown) => {
      logOf(telemetry, call).error('a reply could not be built', { err: fromUnknown(thrown) });
      response.destroy();
    });
  };
}

const logOf = ({ log }: Telemetry, { trace }: HttpCall): Logger => log.forTrace?.(trace) ?? log;

function findTarget(protocols: readonly HttpProtocol[], call: HttpCall): HttpTarget {
  for (const protocol of protocols) {
    const target = protocol(call.verb, call.path, call.headers);
    if (target !== undefined) return target;
  }
  throw rpcErrors.NOT_FOUND();
}

/** The rest of a body that is too large is not read: the connection cannot be used again. */
const closeIfUnread = (reply: HttpReply, error: SoukError): HttpReply =>
  error.httpStatus === 413 ? { ...reply, headers: { ...reply.headers, connection: 'close' } } : reply;

/** On every reply. */
const headersOf = ({ trace }: HttpCall): Record<string, string> => ({
  'x-content-type-options': 'nosniff',
  'x-trace-id': trace.traceId,
  traceparent: formatTraceparent(trace),
});

/** What stands for the connection: each request over HTTP/2 has a socket of its own that is none. */
function connectionOf(request: IncomingMessage): EventEmitter {
  const { stream } = request as IncomingMessage & { stream?: { session?: EventEmitter } };
  return stream?.session ?? request.socket;
}
