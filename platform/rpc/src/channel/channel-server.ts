import type { Duplex } from 'node:stream';
import { ANONYMOUS, type Caller, fromUnknown, hasReason, kernelErrors, type Runtime } from '@souk/kernel';
import type { PolicyRegistry } from '@souk/resilience';
import type { Gauge, Telemetry } from '@souk/telemetry';
import { type Admission, createAdmission } from '../admission.ts';
import { toConnectError } from '../connect-error.ts';
import { rpcErrors } from '../errors.ts';
import { connectStatus } from '../http-status.ts';
import { decodeRequest, encodeBinary, encodeJson, type Router } from '../router.ts';
import {
  CHANNEL_PROTOCOL,
  FRAME_KINDS,
  type Frame,
  type FrameListener,
  FrameReader,
  FrameWriter,
  LONGEST_TEXT,
  NO_TIMEOUT,
  SEPARATOR,
  signal,
} from './frame.ts';

export interface ChannelServerOptions {
  readonly router: Router;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /** As of the HTTP handler: who calls, from the headers of the call. */
  readonly authenticate: (headers: Readonly<Record<string, string>>) => Promise<Caller>;
  /** Finds the policy `server`, which calls pass at the door. @default none: everything is let in */
  readonly policies?: PolicyRegistry;
  /** Largest message in bytes, where the method does not say. @default 1048576 */
  readonly maxMessageBytes?: number;
}

/** Serves the single calls of a router over channels: many at a time over one connection, in any order. */
export interface ChannelServer {
  /** For the header `Upgrade`. */
  readonly protocol: string;
  /** Takes over a connection whose client has been told that it is a channel now. @param head What was read of it already. */
  accept(socket: Duplex, head: Buffer): void;
  /** Asks all clients to go elsewhere with further calls. They close their channels when the last call has ended. */
  goAway(): void;
}

const MAX_MESSAGE_BYTES = 1_048_576;
/** Calls of one channel at work. While there are as many, nothing more is read from it. */
const MAX_CALLS = 2048;
/** Bytes of answers that its client has not taken. While there are as many, nothing more is read from it. */
const MAX_UNSENT_BYTES = 4 * 1_048_576;

export function createChannelServer(options: ChannelServerOptions): ChannelServer {
  const { router, telemetry } = options;
  const open = new Set<ServedChannel>();
  const limits = [...router.methods.values()].map(({ limits: { maxMessageBytes = 0 } }) => maxMessageBytes);
  const shared: Shared = {
    ...{ router, telemetry, authenticate: options.authenticate, admit: createAdmission(options.policies) },
    maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    longestFrame: Math.max(options.maxMessageBytes ?? MAX_MESSAGE_BYTES, ...limits) + LONGEST_TEXT,
    channels: telemetry.metrics.gauge({ name: 'rpc_server_channels', help: 'Channels on which calls come.' }),
  };
  return {
    protocol: CHANNEL_PROTOCOL,
    accept: (socket, head) => {
      const channel = new ServedChannel(shared, socket, () => open.delete(channel));
      open.add(channel);
      channel.start(head);
    },
    goAway: () => {
      for (const channel of open) channel.goAway();
    },
  };
}

interface Shared {
  readonly router: Router;
  readonly telemetry: Telemetry;
  readonly authenticate: ChannelServerOptions['authenticate'];
  readonly admit: Admission;
  readonly maxMessageBytes: number;
  readonly longestFrame: number;
  readonly channels: Gauge<never>;
}

/*
 * C1 Every call gets one answer, or an error, unless its client has taken it back or is gone.
 * C2 When the connection ends, every call that is still at work hears that nobody waits.
 */
class ServedChannel implements FrameListener {
  readonly #shared: Shared;
  readonly #socket: Duplex;
  readonly #onEnd: () => void;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #calls = new Map<number, AbortController>();
  #isOver = false;

  constructor(shared: Shared, socket: Duplex, onEnd: () => void) {
    this.#shared = shared;
    this.#socket = socket;
    this.#onEnd = onEnd;
    this.#reader = new FrameReader(shared.longestFrame, this);
    this.#writer = new FrameWriter((bytes) => this.#send(bytes));
  }

  start(head: Buffer): void {
    this.#shared.channels.add(1, {});
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#maybeResume());
    // A client that leaves has no call under way, or waits for none.
    socket.on('end', () => socket.end());
    socket.on('error', () => {});
    socket.on('close', () => this.#end());
    if (head.length > 0) this.#onData(head);
  }

  goAway(): void {
    this.#writer.add(signal(FRAME_KINDS.goAway));
  }

  onFrame(frame: Frame): void {
    const { kind, id } = frame;
    if (kind === FRAME_KINDS.call) this.#onCall(frame);
    else if (kind === FRAME_KINDS.cancel) this.#calls.get(id)?.abort(kernelErrors.CANCELED());
    else if (kind === FRAME_KINDS.ping) this.#writer.add(signal(FRAME_KINDS.pong));
    else throw rpcErrors.BAD_FRAME({ why: `kind ${kind} from a client` });
  }

  onTooLong(kind: number, id: number): void {
    if (kind !== FRAME_KINDS.call) throw rpcErrors.BAD_FRAME({ why: `kind ${kind} too long` });
    this.#fail(id, rpcErrors.BODY_TOO_LARGE({ limit: this.#shared.maxMessageBytes }));
  }

  #onData(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (thrown) {
      this.#shared.telemetry.log.warn('a channel was closed', { err: fromUnknown(thrown) });
      this.#socket.destroy();
      return;
    }
    if (this.#isFull()) this.#socket.pause();
  }

  #isFull(): boolean {
    return this.#calls.size >= MAX_CALLS || this.#socket.writableLength > MAX_UNSENT_BYTES;
  }

  #maybeResume(): void {
    if (this.#socket.isPaused() && !this.#isFull()) this.#socket.resume();
  }

  #onCall(frame: Frame): void {
    if (this.#calls.has(frame.id)) throw rpcErrors.BAD_FRAME({ why: 'an id that is in use' });
    const gone = new AbortController();
    this.#calls.set(frame.id, gone);
    this.#serve(frame, gone.signal).then(
      (body) => this.#answer({ kind: FRAME_KINDS.answer, id: frame.id, number: 0, text: '', body }),
      (thrown) => this.#fail(frame.id, thrown),
    );
  }

  async #serve({ number, text, body }: Frame, gone: AbortSignal): Promise<Uint8Array> {
    const { router, admit, authenticate, maxMessageBytes } = this.#shared;
    const [codec, name = '', ...pairs] = text.split(SEPARATOR);
    if ((codec !== 'proto' && codec !== 'json') || pairs.length % 2 !== 0)
      throw rpcErrors.MALFORMED_BODY({ why: 'the text of its frame is none of a call' });
    const method = router.methods.get(name);
    if (method === undefined) throw rpcErrors.UNKNOWN_METHOD();
    const limit = method.limits.maxMessageBytes ?? maxMessageBytes;
    if (body.length > limit) throw rpcErrors.BODY_TOO_LARGE({ limit });
    const headers: Record<string, string> = {};
    for (let at = 0; at < pairs.length; at += 2) headers[pairs[at] as string] = pairs[at + 1] as string;
    const timeoutMs = number === NO_TIMEOUT ? undefined : number;
    return admit({ criticality: method.rules.criticality }, { headers, signal: gone }, async () => {
      const caller = await this.#callerOf(method.rules.access === 'public', headers, authenticate);
      const facts = { caller, headers, timeoutMs, signal: gone };
      const response = await router.invoke(method, facts, () => decodeRequest(method, codec, body));
      return codec === 'proto' ? encodeBinary(method, response) : Buffer.from(encodeJson(method, response));
    });
  }

  async #callerOf(
    isPublic: boolean,
    headers: Readonly<Record<string, string>>,
    authenticate: Shared['authenticate'],
  ): Promise<Caller> {
    try {
      return await authenticate(headers);
    } catch (error) {
      if (isPublic && fromUnknown(error).code === 'unauthenticated') return ANONYMOUS;
      throw error;
    }
  }

  #fail(id: number, thrown: unknown): void {
    const error = fromUnknown(thrown);
    if (hasReason(error, 'SOUK_INTERNAL') && error.details.errorId === undefined)
      this.#shared.telemetry.log.error('a call failed', { err: error });
    const body = Buffer.from(JSON.stringify(toConnectError(error)));
    this.#answer({ kind: FRAME_KINDS.error, id, number: connectStatus(error.code), text: '', body });
  }

  #answer(frame: Frame): void {
    this.#calls.delete(frame.id);
    if (this.#isOver) return;
    this.#writer.add(frame);
    this.#maybeResume();
  }

  #send(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#shared.channels.add(-1, {});
    for (const gone of this.#calls.values()) gone.abort(kernelErrors.CANCELED());
    this.#calls.clear();
    this.#onEnd();
  }
}
