import type { Duplex } from 'node:stream';
import { fromUnknown, kernelErrors } from '@souk/kernel';
import {
  CHANNEL_PATH,
  CHANNEL_PROTOCOL,
  type Deadlines,
  FRAME_KINDS,
  type Frame,
  type FrameListener,
  FrameReader,
  FrameWriter,
  LONGEST_TEXT,
  notSent,
  rpcErrors,
  signal,
  type WheelEntry,
} from '@souk/rpc';
import { Client } from 'undici';
import type { Carrier, ChannelCall } from './channel-call.ts';
import type { ConnectionCounts } from './connections.ts';
import { CONNECTED, FAILED } from './connections.ts';
import type { HttpTransportOptions } from './options.ts';

export interface ChannelInit {
  /** `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly client: Client.Options;
  readonly clock: HttpTransportOptions['runtime']['clock'];
  readonly deadlines: Deadlines;
  /** Largest answer in bytes. */
  readonly answerBytes: number;
  /** Most calls under way. */
  readonly maxCalls: number;
  readonly counts: ConnectionCounts | undefined;
  /**
   * The server knows no channels, or none now: these calls, of which nothing was sent, go another way.
   * @param status What it said instead; undefined: it hung up.
   */
  readonly onRefused: (calls: Iterable<ChannelCall>, status: number | undefined) => void;
  /** It takes no further calls. */
  readonly onFull: () => void;
}

/** Longest wait for a server to say that it opens the channel, in milliseconds. */
const OPEN_MS = 2000;
/** Longest wait for a sign of life on a channel where a call was not answered in time, in milliseconds. */
const SIGN_OF_LIFE_MS = 1000;
/** Bytes that the server has not taken; one more call is refused. */
const MAX_UNSENT_BYTES = 8 * 1_048_576;
/** Milliseconds without a word after which the system asks whether the other side is there. */
const KEEP_ALIVE_MS = 30_000;
const LARGEST_ID = 0xffff_ffff;

/*
 *   opening --the server agrees--> open --goAway, close()--> leaving --its last call ends--> over
 *   opening --it does not--> over                            any --the connection is lost--> over
 *
 * H1 Every call that was added ends: answered, failed, lost, or passed on.
 * H2 Once it takes no further calls it closes with its last one, and so no call meets a server that closes.
 */
export class Channel implements Carrier, FrameListener, WheelEntry {
  wheelDueTick = -1;
  wheelNext: WheelEntry | undefined = undefined;
  wheelPrevious: WheelEntry | undefined = undefined;
  readonly #init: ChannelInit;
  readonly #over = Promise.withResolvers<void>();
  readonly #writer: FrameWriter;
  /** Added while it opens. */
  readonly #waiting = new Set<ChannelCall>();
  readonly #calls = new Map<number, ChannelCall>();
  #state: 'opening' | 'open' | 'leaving' | 'over' = 'opening';
  #socket: Duplex | undefined = undefined;
  #lastId = 0;
  /** Monotonic milliseconds of the last sign of life, and of the last question for one. */
  #heardMs = 0;
  #askedMs = 0;
  #isAsking = false;

  constructor(init: ChannelInit) {
    this.#init = init;
    this.#writer = new FrameWriter((bytes) => this.#socket?.write(bytes));
    this.#open();
  }

  /** False: there are too many, or it takes no more. */
  add(call: ChannelCall): boolean {
    const isBacklogged = (this.#socket?.writableLength ?? 0) > MAX_UNSENT_BYTES;
    if (isBacklogged || this.#calls.size + this.#waiting.size >= this.#init.maxCalls) return false;
    if (this.#state === 'open') this.#send(call, this.#init.clock.monotonicMs());
    else if (this.#state === 'opening') this.#waiting.add(call);
    else return false;
    call.carrier = this;
    return true;
  }

  leave(call: ChannelCall): void {
    if (this.#waiting.delete(call)) return;
    if (!this.#calls.delete(call.id)) return;
    this.#writer.add(signal(FRAME_KINDS.cancel, call.id));
    if (call.sentMs > this.#heardMs) this.#ask();
    this.#maybeEnd();
  }

  /** Calls under way end. Resolves when it is over. */
  close(): Promise<void> {
    this.#stopTaking();
    return this.over;
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  onFrame(frame: Frame): void {
    const { kind, id } = frame;
    if (kind === FRAME_KINDS.answer || kind === FRAME_KINDS.error) this.#take(id)?.onAnswer(frame);
    else if (kind === FRAME_KINDS.goAway) this.#stopTaking();
    else if (kind !== FRAME_KINDS.pong) throw rpcErrors.BAD_FRAME({ why: `kind ${kind} from a server` });
  }

  onTooLong(_kind: number, id: number): void {
    const call = this.#take(id);
    call?.fail(rpcErrors.ANSWER_TOO_LARGE({ service: call.service, limit: this.#init.answerBytes }));
  }

  /** By the wheel: there should have been a sign of life by now. */
  onDue(): void {
    this.#isAsking = false;
    if (this.#heardMs < this.#askedMs) this.#lose(kernelErrors.DEADLINE_EXCEEDED());
  }

  #open(): void {
    const { origin, client: options, counts } = this.#init;
    const client = new Client(origin, { ...options, headersTimeout: OPEN_MS });
    let isConnected = false;
    let status: number | undefined;
    const end = (): void => queueMicrotask(() => void client.destroy());
    client.dispatch(
      { method: 'GET', path: CHANNEL_PATH, upgrade: CHANNEL_PROTOCOL },
      {
        onRequestStart: () => {
          isConnected = true;
        },
        onRequestUpgrade: (_controller, _status, _headers, socket) => {
          end();
          counts?.connects.add(1, CONNECTED);
          this.#onOpen(socket);
        },
        onResponseStart: (controller, said) => {
          if (said < 200) return;
          status = said;
          controller.abort(kernelErrors.CANCELED());
        },
        onResponseData: () => {},
        onResponseEnd: () => {},
        onResponseError: (_controller, cause) => {
          end();
          counts?.connects.add(1, FAILED);
          // A server that says nothing at all would say no more to what is sent over HTTP.
          const isSilent = (cause as { code?: unknown }).code === 'UND_ERR_HEADERS_TIMEOUT';
          if (isConnected && !isSilent) this.#refused(status);
          else this.#lose(cause);
        },
      },
    );
  }

  #onOpen(socket: Duplex): void {
    const { counts, answerBytes, clock } = this.#init;
    this.#socket = socket;
    counts?.open.add(1, {});
    (socket as Duplex & { setKeepAlive?(on: boolean, ms: number): void }).setKeepAlive?.(true, KEEP_ALIVE_MS);
    const reader = new FrameReader(answerBytes + LONGEST_TEXT, this);
    socket.on('data', (chunk: Buffer) => {
      this.#heardMs = clock.monotonicMs();
      try {
        reader.push(chunk);
      } catch (thrown) {
        this.#lose(fromUnknown(thrown));
      }
    });
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => {
      counts?.open.add(-1, {});
      this.#lose(kernelErrors.CANCELED());
    });
    if (this.#state === 'opening') this.#state = 'open';
    const nowMs = clock.monotonicMs();
    for (const call of this.#waiting) this.#send(call, nowMs);
    this.#waiting.clear();
    this.#maybeEnd();
  }

  #send(call: ChannelCall, nowMs: number): void {
    do this.#lastId = this.#lastId === LARGEST_ID ? 1 : this.#lastId + 1;
    while (this.#calls.has(this.#lastId));
    call.prepare(this.#lastId, nowMs);
    this.#calls.set(call.id, call);
    this.#writer.add(call);
  }

  #take(id: number): ChannelCall | undefined {
    const call = this.#calls.get(id);
    if (call === undefined) return undefined;
    this.#calls.delete(id);
    if (this.#state === 'leaving') this.#maybeEnd();
    return call;
  }

  #stopTaking(): void {
    if (this.#state === 'open' || this.#state === 'opening') {
      this.#state = 'leaving';
      this.#init.onFull();
    }
    this.#maybeEnd();
  }

  #maybeEnd(): void {
    if (this.#state !== 'leaving' || this.#calls.size > 0 || this.#waiting.size > 0 || this.#socket === undefined)
      return;
    this.#writer.flush();
    this.#socket.end();
  }

  /** A server that is gone without a word must not keep its calls until each has run out of time. */
  #ask(): void {
    if (this.#isAsking || this.#state === 'opening' || this.#state === 'over') return;
    this.#isAsking = true;
    this.#askedMs = this.#init.clock.monotonicMs();
    this.#writer.add(signal(FRAME_KINDS.ping));
    this.#init.deadlines.add(this, SIGN_OF_LIFE_MS);
  }

  #refused(status: number | undefined): void {
    if (this.#state === 'over') return;
    const calls = [...this.#waiting];
    this.#finish();
    this.#init.onRefused(calls, status);
  }

  #lose(cause: unknown): void {
    if (this.#state === 'over') return;
    const waiting = [...this.#waiting];
    const calls = [...this.#calls.values()];
    this.#finish();
    for (const call of waiting) call.fail(notSent(call.service, cause));
    for (const call of calls) call.onLost(cause);
  }

  #finish(): void {
    const wasTaking = this.#state !== 'leaving';
    this.#state = 'over';
    this.#waiting.clear();
    this.#calls.clear();
    this.#init.deadlines.remove(this);
    this.#socket?.destroy();
    this.#over.resolve();
    if (wasTaking) this.#init.onFull();
  }
}
