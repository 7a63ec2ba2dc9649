import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import type { Http2SessionManager } from '@connectrpc/connect-node';
import { fromUnknown, isSoukError, kernelErrors, type SoukError, type Timers } from '@souk/kernel';
import { type Deadlines, notSent, readCompression, readConnectAnswer, rpcErrors, type WireCall } from '@souk/rpc';
import { formatTraceparent } from '@souk/telemetry';
import { grpcErrors } from './errors.ts';
import { type Packing, readMessages, writeMessage } from './messages.ts';
import { readStatus } from './status.ts';

/** What the calls of one transport share. */
export interface ExchangeShared {
  readonly sessions: Http2SessionManager;
  readonly deadlines: Deadlines;
  readonly timers: Timers;
  readonly headers: ((call: WireCall) => Readonly<Record<string, string>>) | undefined;
  readonly maxMessageBytes: number;
  readonly packing: Packing;
  opened(exchange: GrpcExchange): void;
  ended(exchange: GrpcExchange): void;
}

type Messages = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
type Result = IteratorResult<Uint8Array, undefined>;

const DONE: Result = Object.freeze({ done: true, value: undefined });
const TYPE = { protocol: 'grpc', codec: 'proto', isText: false, answers: '' } as const;
/** What may be under way to us of all calls of a connection, unread. */
const SESSION_WINDOW = 1024 * 1024;
const CLOSE_MS = 20;
/** Of an answer that is not gRPC, as much as is looked at. */
const MAX_FOREIGN_BYTES = 16_384;

/** One call by gRPC, as the iteration of the messages of its answer. It begins when the first is asked for. */
export class GrpcExchange implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #shared: ExchangeShared;
  readonly #call: WireCall;
  readonly #service: string;
  readonly #requests: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #begun: Promise<void> | undefined;
  #isOver = false;
  #finished: (() => void) | undefined;
  #stream: ClientHttp2Stream | undefined;
  #answers: AsyncIterator<Uint8Array> | undefined;
  #trailers: IncomingHttpHeaders | undefined;
  #closed: Promise<void> | undefined;
  /** Why the call is over, where that is not what the server says. */
  #failure: SoukError | undefined;
  #onFailure: (error: SoukError) => void = () => {};
  #isSent = false;

  constructor(shared: ExchangeShared, call: WireCall, requests: Messages) {
    this.#shared = shared;
    this.#call = call;
    this.#service = call.method.slice(0, call.method.indexOf('/'));
    this.#requests = Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The one message of an answer that has one. */
  async only(): Promise<Uint8Array> {
    const first = await this.next();
    if (first.done === true) throw grpcErrors.BAD_ANSWER({ service: this.#service, why: 'it has no message' });
    const second = await this.next();
    if (second.done === true) return first.value;
    await this.return();
    throw grpcErrors.BAD_ANSWER({ service: this.#service, why: 'it has more than one message' });
  }

  async next(): Promise<Result> {
    if (this.#isOver) return DONE;
    try {
      this.#begun ??= this.#begin();
      await this.#begun;
      const result = await (this.#answers as AsyncIterator<Uint8Array>).next();
      if (result.done !== true && this.#failure === undefined) return result;
      // How a stream was cut off is heard a moment after its end.
      if (this.#trailers === undefined) await Promise.race([this.#closed, this.#shared.timers.sleep(CLOSE_MS)]);
      const error = this.#failure ?? this.#status();
      if (error !== undefined) throw error;
      this.#end();
      return DONE;
    } catch (thrown) {
      const error = this.#failure ?? this.#explain(thrown);
      this.#end();
      throw error;
    }
  }

  async return(): Promise<Result> {
    this.#fail(kernelErrors.CANCELED());
    this.#end();
    return DONE;
  }

  async #begin(): Promise<void> {
    const { deadlines, opened } = this.#shared;
    const { timeoutMs = Number.POSITIVE_INFINITY, signal } = this.#call;
    opened(this);
    const life = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    const failed = new Promise<never>((_resolve, reject) => {
      this.#onFailure = reject;
    });
    failed.catch(() => {});
    deadlines.within(timeoutMs, signal, life).catch((error: SoukError) => this.#fail(error));
    if (signal?.aborted) throw kernelErrors.CANCELED({}, { cause: signal.reason });
    if (timeoutMs <= 0) throw kernelErrors.DEADLINE_EXCEEDED();
    await Promise.race([this.#open(), failed]);
  }

  async #open(): Promise<void> {
    const { sessions, maxMessageBytes } = this.#shared;
    const stream = await sessions.request('POST', `/${this.#call.method}`, this.#headers(), { endStream: false });
    this.#stream = stream;
    this.#isSent = true;
    widen(stream);
    this.#closed = new Promise((resolve) => stream.once('close', resolve));
    // What went wrong is known from its end.
    stream.on('error', () => {});
    stream.on('trailers', (trailers) => {
      this.#trailers = trailers;
    });
    if (this.#isOver) return stream.close(constants.NGHTTP2_CANCEL);
    const head = new Promise<IncomingHttpHeaders>((resolve, reject) => {
      stream.once('response', resolve);
      stream.once('close', () => reject(this.#lost()));
    });
    this.#send(stream).catch((thrown) => this.#fail(fromUnknown(thrown)));
    const headers = await head;
    await this.#checkHead(headers, stream);
    const compression = readCompression(headers['grpc-encoding'] as string | undefined);
    this.#answers = readMessages(TYPE, this.#chunks(stream), compression, maxMessageBytes);
    if (headers['grpc-status'] !== undefined) this.#trailers = headers;
  }

  /** An answer that is not gRPC was written by somebody in between, or by a server that is not ready. */
  async #checkHead(headers: IncomingHttpHeaders, stream: ClientHttp2Stream): Promise<void> {
    const status = Number(headers[':status']);
    const type = headers['content-type'];
    if (status === 200 && type?.startsWith('application/grpc')) return;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_FOREIGN_BYTES) break;
    }
    if (status !== 200)
      readConnectAnswer({ status, contentType: type, body: Buffer.concat(chunks) }, 'proto', this.#service);
    throw grpcErrors.BAD_ANSWER({ service: this.#service, why: 'its content type is another' });
  }

  #headers(): OutgoingHttpHeaders {
    const { timeoutMs, trace, headers } = this.#call;
    const { packing } = this.#shared;
    return {
      ...headers,
      ...this.#shared.headers?.(this.#call),
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      ...(timeoutMs !== undefined && Number.isFinite(timeoutMs) && { 'grpc-timeout': formatTimeout(timeoutMs) }),
      ...(trace !== undefined && { traceparent: formatTraceparent(trace) }),
      ...(trace?.tracestate !== undefined && { tracestate: trace.tracestate }),
      ...(packing.answers && { 'grpc-encoding': 'gzip', 'grpc-accept-encoding': 'gzip' }),
    };
  }

  /** Sends the requests as fast as the other side reads them. */
  async #send(stream: ClientHttp2Stream): Promise<void> {
    for (;;) {
      const result = await this.#requests.next();
      if (stream.destroyed || stream.writableEnded) return;
      if (result.done === true) return void stream.end();
      const message = await writeMessage(result.value, this.#shared.packing);
      if (stream.destroyed) return;
      if (!stream.write(message)) await writable(stream);
    }
  }

  async *#chunks(stream: ClientHttp2Stream): AsyncGenerator<Uint8Array> {
    const { sessions } = this.#shared;
    try {
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
        sessions.notifyResponseByteRead(stream);
        yield chunk;
      }
    } catch {
      // The stream was cut off: its status says so, or that there is none.
    }
  }

  /** The error that the answer ends with; undefined: none. */
  #status(): SoukError | undefined {
    const trailers = this.#trailers;
    if (trailers?.['grpc-status'] === undefined) return this.#lost();
    const found = new Headers();
    for (const name of ['grpc-status', 'grpc-message', 'grpc-status-details-bin']) {
      const value = trailers[name];
      if (value !== undefined) found.set(name, String(value));
    }
    return readStatus(found);
  }

  /** There is no end of an answer. */
  #lost(): SoukError {
    const rstCode = this.#stream?.rstCode ?? constants.NGHTTP2_CANCEL;
    const cause = new StreamEnd(rstCode);
    if (rstCode === constants.NGHTTP2_REFUSED_STREAM) return notSent(this.#service, cause);
    if (rstCode === constants.NGHTTP2_NO_ERROR && !this.#stream?.session?.destroyed)
      return grpcErrors.BAD_ANSWER({ service: this.#service, why: 'it has no end' }, { cause });
    return rpcErrors.UNREACHABLE({ service: this.#service }, { cause });
  }

  #explain(thrown: unknown): SoukError {
    if (isSoukError(thrown)) return thrown;
    if (!this.#isSent) return notSent(this.#service, thrown);
    return rpcErrors.UNREACHABLE({ service: this.#service }, { cause: thrown });
  }

  #fail(error: SoukError): void {
    if (this.#isOver || this.#failure !== undefined) return;
    this.#failure = error;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    this.#onFailure(error);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#stream !== undefined && !this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#finished?.();
    this.#shared.ended(this);
    // Nobody waits for what is left of the requests.
    Promise.resolve(this.#requests.return?.()).catch(() => {});
  }
}

/** How a stream ended that had no trailers: for the log. */
class StreamEnd extends Error {
  constructor(rstCode: number) {
    super(`the stream ended without trailers, HTTP/2 error code ${rstCode}`);
  }
}

/** At most eight digits, in the smallest unit that has room: never less than 1. */
function formatTimeout(timeoutMs: number): string {
  const ms = Math.max(1, Math.floor(timeoutMs));
  return ms < 1e8 ? `${ms}m` : `${Math.min(99_999_999, Math.floor(ms / 1000))}S`;
}

const writable = (stream: ClientHttp2Stream): Promise<void> =>
  new Promise((resolve) => {
    const leave = (): void => {
      stream.off('drain', leave);
      stream.off('close', leave);
      resolve();
    };
    stream.on('drain', leave);
    stream.on('close', leave);
  });

/** A connection is wider than one of its streams. */
function widen({ session }: ClientHttp2Stream): void {
  if (session !== undefined && (session.state.effectiveLocalWindowSize ?? 0) < SESSION_WINDOW)
    session.setLocalWindowSize(SESSION_WINDOW);
}
