import { kernelErrors, type SoukError } from '@souk/kernel';
import {
  type Deadlines,
  notSent,
  readConnectAnswer,
  rpcErrors,
  type WheelEntry,
  type WireRequest,
  type WireResponse,
  whyCanceled,
} from '@souk/rpc';
import type { Dispatcher } from 'undici';
import type { Applicant, Connection, Connections } from './connections.ts';
import { explain, isUnreadable } from './failure.ts';
import type { HttpTransportOptions, Limits } from './options.ts';
import { unpack } from './packing.ts';
import { requestHeaders } from './request-headers.ts';

/** What the calls to one instance share. */
export interface ExchangeShared {
  readonly connections: Connections;
  readonly deadlines: Deadlines;
  readonly clock: HttpTransportOptions['runtime']['clock'];
  readonly limits: Limits;
  readonly headers: HttpTransportOptions['headers'];
  /** `/souk.orders.v1.OrderService/GetOrder` by method. */
  readonly paths: Map<string, string>;
}

/*
 * One call over HTTP.
 *
 *   start --> waiting for a connection --> connecting --> sent --> answering --> done
 *
 * X1 It is answered once, and once it is answered it holds no deadline and listens to no signal.
 * X2 Its connection is given back or dropped once, however it ends; given back only after a whole answer.
 * X3 `isSent` is false only while not a byte of it has been written.
 * X4 It is sent a second time only if it may be repeated and its connection was lost before anything of an answer came: a server closes
 *    idle connections without knowing that a call is on its way. It is never sent a third time.
 */
export class Exchange implements WheelEntry, Applicant, Dispatcher.DispatchHandler {
  wheelDueTick = -1;
  wheelNext: WheelEntry | undefined = undefined;
  wheelPrevious: WheelEntry | undefined = undefined;
  readonly #shared: ExchangeShared;
  readonly #request: WireRequest;
  readonly #body: Uint8Array;
  readonly #resolve: (response: WireResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #untilMs: number;
  #isDone = false;
  #isSent = false;
  #isAnswering = false;
  #hasBeenResent = false;
  #connection: Connection | undefined = undefined;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #onAbort: (() => void) | undefined = undefined;
  #status = 0;
  #contentType: string | undefined = undefined;
  #encoding: string | undefined = undefined;
  #chunk: Uint8Array | undefined = undefined;
  #chunks: Uint8Array[] | undefined = undefined;

  /** @param body As it is sent: that of the request, or the same compressed. */
  constructor(
    shared: ExchangeShared,
    request: WireRequest,
    body: Uint8Array,
    untilMs: number,
    resolve: (response: WireResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#shared = shared;
    this.#request = request;
    this.#body = body;
    this.#untilMs = untilMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get #service(): string {
    const { method } = this.#request;
    return method.slice(0, method.indexOf('/'));
  }

  start(nowMs: number): void {
    const { signal } = this.#request;
    if (signal !== undefined) {
      if (signal.aborted) {
        this.#fail(whyCanceled(signal.reason));
        return;
      }
      this.#onAbort = () => this.#giveUp(whyCanceled(signal.reason));
      signal.addEventListener('abort', this.#onAbort);
    }
    this.#shared.deadlines.add(this, this.#untilMs - nowMs);
    this.#apply();
  }

  /** By the wheel: the time is over. */
  onDue(): void {
    this.#giveUp(kernelErrors.DEADLINE_EXCEEDED());
  }

  onConnection(connection: Connection): void {
    const { paths, headers, limits, clock } = this.#shared;
    const request = this.#request;
    this.#connection = connection;
    let path = paths.get(request.method);
    if (path === undefined) {
      path = `/${request.method}`;
      paths.set(request.method, path);
    }
    const list = requestHeaders(request, {
      timeoutMs: this.#untilMs - clock.monotonicMs(),
      added: headers?.(request),
      isPacked: this.#body !== request.body,
      takesPacked: limits.compressFromBytes !== Number.POSITIVE_INFINITY,
    });
    connection.client.dispatch({ method: 'POST', path, headers: list, body: this.#body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown here, the request is taken back and the connection, which has just been made, stays good.
    if (this.#isDone) throw kernelErrors.CANCELED();
    this.#controller = controller;
    this.#isSent = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Record<string, unknown>): void {
    if (status < 200) return;
    this.#isAnswering = true;
    this.#status = status;
    this.#contentType = headers['content-type'] as string | undefined;
    this.#encoding = headers['content-encoding'] as string | undefined;
    // The client of the connection counts what comes; this saves the waiting.
    const limit = this.#shared.limits.answerBytes;
    if (Number(headers['content-length'] ?? 0) <= limit) return;
    this.#fail(rpcErrors.ANSWER_TOO_LARGE({ service: this.#service, limit }));
    controller.abort(kernelErrors.CANCELED());
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#chunk === undefined) this.#chunk = chunk;
    else if (this.#chunks === undefined) this.#chunks = [this.#chunk, chunk];
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) {
      connection.answers++;
      this.#shared.connections.giveBack(connection);
    }
    if (!this.#isDone) this.#read();
  }

  onResponseError(_controller: Dispatcher.DispatchController, cause: Error): void {
    const connection = this.#connection;
    this.#connection = undefined;
    const isOurs = (cause as { code?: unknown }).code === 'UND_ERR_INVALID_ARG';
    if (connection !== undefined) {
      // What ended before it was sent because its caller had gone leaves a connection that has just been made.
      if (isOurs || (this.#isDone && !this.#isSent)) this.#shared.connections.giveBack(connection);
      else this.#shared.connections.drop(connection);
    }
    if (this.#isDone) return;
    const { method, repeatable } = this.#request;
    const isLost = this.#isSent && !this.#isAnswering && !isUnreadable(cause);
    if (isLost && repeatable === true && !this.#hasBeenResent) {
      this.#resend();
      return;
    }
    // What may be repeated and could not be sent again is no worse than what was never sent.
    const { answerBytes: answerLimit } = this.#shared.limits;
    this.#fail(explain(cause, { method, service: this.#service, isSent: this.#isSent, answerLimit }));
  }

  #apply(): void {
    if (this.#shared.connections.request(this)) return;
    this.#fail(notSent(this.#service, kernelErrors.QUEUE_FULL({ queue: 'the queue for a connection' })));
  }

  #resend(): void {
    this.#hasBeenResent = true;
    this.#isSent = false;
    this.#controller = undefined;
    this.#shared.connections.dropIdle();
    this.#apply();
  }

  #read(): void {
    const body = this.#bytes();
    if (this.#encoding === undefined || this.#encoding === 'identity') {
      this.#answer(body);
      return;
    }
    const service = this.#service;
    const limit = this.#shared.limits.answerBytes;
    if (this.#encoding !== 'gzip') {
      this.#fail(rpcErrors.BAD_ANSWER({ service }));
      return;
    }
    unpack(body, limit).then(
      (unpacked) => this.#answer(unpacked),
      (cause) =>
        this.#fail(
          cause?.code === 'ERR_BUFFER_TOO_LARGE'
            ? rpcErrors.ANSWER_TOO_LARGE({ service, limit }, { cause })
            : rpcErrors.BAD_ANSWER({ service }, { cause }),
        ),
    );
  }

  #answer(body: Uint8Array): void {
    if (this.#isDone) return;
    this.#finish();
    try {
      const answer = { status: this.#status, contentType: this.#contentType, body };
      this.#resolve(readConnectAnswer(answer, this.#request.codec, this.#service));
    } catch (error) {
      this.#reject(error);
    }
  }

  #bytes(): Uint8Array {
    if (this.#chunks !== undefined) return Buffer.concat(this.#chunks);
    return this.#chunk ?? NOTHING;
  }

  /** Ends a call that nobody waits for any more: the server sees its connection close. */
  #giveUp(error: SoukError): void {
    if (this.#isDone) return;
    this.#fail(error);
    if (this.#connection === undefined) this.#shared.connections.leave(this);
    else this.#controller?.abort(error);
  }

  #fail(error: unknown): void {
    if (this.#isDone) return;
    this.#finish();
    this.#reject(error);
  }

  #finish(): void {
    this.#isDone = true;
    this.#shared.deadlines.remove(this);
    if (this.#onAbort !== undefined) this.#request.signal?.removeEventListener('abort', this.#onAbort);
  }
}

const NOTHING = new Uint8Array(0);
