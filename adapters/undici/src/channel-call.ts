import { kernelErrors, type SoukError } from '@souk/kernel';
import {
  type Deadlines,
  FRAME_KINDS,
  type Frame,
  NO_TIMEOUT,
  notSent,
  readConnectAnswer,
  rpcErrors,
  SEPARATOR,
  type WheelEntry,
  type WireRequest,
  type WireResponse,
  whyCanceled,
} from '@souk/rpc';
import { formatTraceparent } from '@souk/telemetry';

/** Where a call is while it has no answer. */
export interface Carrier {
  /** Nobody waits for the call any more. */
  leave(call: ChannelCall): void;
}

export interface ChannelCallInit {
  readonly request: WireRequest;
  readonly deadlines: Deadlines;
  /** Monotonic milliseconds; `Infinity`: no limit. */
  readonly untilMs: number;
  readonly added: Readonly<Record<string, string>> | undefined;
  /** Takes it to a channel. */
  readonly place: (call: ChannelCall) => void;
  readonly resolve: (response: WireResponse) => void;
  readonly reject: (error: unknown) => void;
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
/** Characters: in UTF-8 at most three times as many bytes, which a frame can say. */
const LONGEST_HEADERS = 16_384;
/** Of these HTTP allows none in a header either. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is them that are looked for
const CONTROL = /[\0-\x1f\x7f]/;

/*
 * One call over a channel.
 *
 *   start --> placed --> sent --> done        sent --the channel is lost, may be repeated--> placed
 *
 * K1 It is answered once, and once it is answered it holds no deadline and listens to no signal.
 * K2 `isSent` is false only while not a byte of it has been written.
 * K3 It is sent a second time only if it may be repeated and its channel was lost. It is never sent a third time.
 */
export class ChannelCall implements WheelEntry, Frame {
  wheelDueTick = -1;
  wheelNext: WheelEntry | undefined = undefined;
  wheelPrevious: WheelEntry | undefined = undefined;
  readonly kind = FRAME_KINDS.call;
  id = 0;
  number = NO_TIMEOUT;
  text = '';
  readonly request: WireRequest;
  readonly body: Uint8Array;
  readonly untilMs: number;
  readonly resolve: (response: WireResponse) => void;
  readonly reject: (error: unknown) => void;
  carrier: Carrier | undefined = undefined;
  /** Monotonic milliseconds. */
  sentMs = 0;
  isSent = false;
  isDone = false;
  readonly #init: ChannelCallInit;
  #onAbort: (() => void) | undefined = undefined;
  #hasBeenResent = false;

  constructor(init: ChannelCallInit) {
    this.#init = init;
    this.request = init.request;
    this.body = init.request.body;
    this.untilMs = init.untilMs;
    this.resolve = init.resolve;
    this.reject = init.reject;
  }

  get service(): string {
    const { method } = this.request;
    return method.slice(0, method.indexOf('/'));
  }

  start(nowMs: number): void {
    const { signal, method } = this.request;
    const text = textOf(this.request, this.#init.added);
    if (text === undefined) {
      this.fail(rpcErrors.BAD_CALL({ method }));
      return;
    }
    this.text = text;
    if (signal !== undefined) {
      if (signal.aborted) {
        this.fail(whyCanceled(signal.reason));
        return;
      }
      this.#onAbort = () => this.#giveUp(whyCanceled(signal.reason));
      signal.addEventListener('abort', this.#onAbort);
    }
    this.#init.deadlines.add(this, this.untilMs - nowMs);
    this.#init.place(this);
  }

  /** Right before it is written. */
  prepare(id: number, nowMs: number): void {
    this.id = id;
    this.sentMs = nowMs;
    this.isSent = true;
    // At least 1: what has less time left would be told that it has none.
    if (this.untilMs !== Number.POSITIVE_INFINITY)
      this.number = Math.min(NO_TIMEOUT - 1, Math.max(1, Math.floor(this.untilMs - nowMs)));
  }

  /** By the wheel: the time is over. */
  onDue(): void {
    this.#giveUp(kernelErrors.DEADLINE_EXCEEDED());
  }

  onAnswer({ kind, number, body }: Frame): void {
    if (this.isDone) return;
    this.release();
    if (kind === FRAME_KINDS.answer) {
      this.resolve({ headers: NO_HEADERS, body });
      return;
    }
    try {
      const status = number === 200 ? 500 : number;
      this.resolve(readConnectAnswer({ status, contentType: undefined, body }, this.request.codec, this.service));
    } catch (error) {
      this.reject(error);
    }
  }

  /** Its channel was lost. */
  onLost(cause: unknown): void {
    if (this.isDone) return;
    this.carrier = undefined;
    const wasSent = this.isSent;
    this.isSent = false;
    if (!wasSent) this.fail(notSent(this.service, cause));
    else if (this.request.repeatable === true && !this.#hasBeenResent) {
      this.#hasBeenResent = true;
      this.#init.place(this);
    } else this.fail(rpcErrors.UNREACHABLE({ service: this.service }, { cause }));
  }

  fail(error: unknown): void {
    if (this.isDone) return;
    this.release();
    this.reject(error);
  }

  /** It is over here: answered, failed, or another's now. */
  release(): void {
    this.isDone = true;
    this.#init.deadlines.remove(this);
    if (this.#onAbort !== undefined) this.request.signal?.removeEventListener('abort', this.#onAbort);
  }

  #giveUp(error: SoukError): void {
    if (this.isDone) return;
    this.fail(error);
    this.carrier?.leave(this);
  }
}

/** What a frame says of a call besides its message; undefined where a header is none. */
function textOf(request: WireRequest, added: Readonly<Record<string, string>> | undefined): string | undefined {
  const { method, codec, trace } = request;
  let text = codec + SEPARATOR + method;
  if (trace !== undefined) {
    text += `${SEPARATOR}traceparent${SEPARATOR}${formatTraceparent(trace)}`;
    if (trace.tracestate !== undefined) text += `${SEPARATOR}tracestate${SEPARATOR}${trace.tracestate}`;
  }
  for (const headers of [request.headers, added]) {
    for (const name in headers) {
      const value = headers[name] as string;
      if (CONTROL.test(value)) return undefined;
      text += SEPARATOR + name + SEPARATOR + value;
    }
  }
  return text.length > LONGEST_HEADERS ? undefined : text;
}
