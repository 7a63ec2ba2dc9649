import { rpcErrors } from '../errors.ts';

/*
 * What travels over a channel, in both directions, one frame after the other. Numbers are little-endian.
 *
 *   offset  bytes
 *   0       4      length of what follows
 *   4       1      kind
 *   5       4      id of the call, chosen by the client and never used twice at once; 0 where it is about the channel
 *   9       4      number: milliseconds left (call), status of HTTP (error), else 0
 *   13      2      length of the text
 *   15      n      text, UTF-8: parts with a NUL between them
 *   15 + n  rest   body
 *
 *   call     text: codec, method, then names and values of headers in turn; body: the message
 *   answer   body: the message
 *   error    body: the error of the Connect protocol, as JSON
 *   cancel   the client waits no more for this call
 *   goAway   the server wants no further calls here; those under way end
 *   ping     is answered with pong
 */
export const FRAME_KINDS = { call: 1, answer: 2, error: 3, cancel: 4, goAway: 5, ping: 6, pong: 7 } as const;

/** In the header `Upgrade` of the request that opens a channel. */
export const CHANNEL_PROTOCOL = 'souk-calls/1';
/** Where that request goes. */
export const CHANNEL_PATH = '/souk.rpc.Channel';

/** As `number` of a call that has no limit. */
export const NO_TIMEOUT = 0xffff_ffff;
/** In bytes. */
export const LONGEST_TEXT = 0xffff;
export const SEPARATOR = '\0';

const HEAD = 15;
/** What `length` counts of the head. */
const COUNTED = HEAD - 4;

export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly number: number;
  readonly text: string;
  readonly body: Uint8Array;
}

export const NO_BODY: Uint8Array = new Uint8Array(0);

/** A frame that is its kind and id alone. */
export const signal = (kind: number, id = 0): Frame => ({ kind, id, number: 0, text: '', body: NO_BODY });

/** Writes frames one behind the other. A text beyond `LONGEST_TEXT` must have been refused before. */
export function encodeFrames(frames: readonly Frame[]): Buffer {
  let total = 0;
  for (const { text, body } of frames) total += HEAD + Buffer.byteLength(text) + body.length;
  const target = Buffer.allocUnsafe(total);
  let at = 0;
  for (const { kind, id, number, text, body } of frames) {
    const textBytes = text === '' ? 0 : target.write(text, at + HEAD);
    target.writeUInt32LE(COUNTED + textBytes + body.length, at);
    target[at + 4] = kind;
    target.writeUInt32LE(id, at + 5);
    target.writeUInt32LE(number, at + 9);
    target.writeUInt16LE(textBytes, at + 13);
    target.set(body, at + HEAD + textBytes);
    at += HEAD + textBytes + body.length;
  }
  return target;
}

export interface FrameListener {
  /** The body is a view of what was read, and stays as it is. */
  onFrame(frame: Frame): void;
  /** A frame longer than allowed: it is passed over. */
  onTooLong(kind: number, id: number): void;
}

/** Finds the frames in what arrives in pieces. Holds at most one frame of the longest length. */
export class FrameReader {
  readonly #longest: number;
  readonly #listener: FrameListener;
  /** The beginning of a frame. */
  #pieces: Buffer[] = [];
  #size = 0;
  /** How many bytes there must be before it is worth looking. */
  #wanted = HEAD;
  /** Bytes of a frame that is passed over. */
  #skip = 0;

  /** @param longest Bytes of text and body together. */
  constructor(longest: number, listener: FrameListener) {
    this.#longest = longest + COUNTED;
    this.#listener = listener;
  }

  /** @throws RPC_BAD_FRAME for what is none: nothing that follows can be read */
  push(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size < this.#wanted && this.#skip === 0) {
      this.#pieces.push(chunk);
      return;
    }
    const bytes = this.#pieces.length === 0 ? chunk : Buffer.concat([...this.#pieces, chunk]);
    const read = this.#read(bytes);
    this.#pieces = read < bytes.length ? [bytes.subarray(read)] : [];
    this.#size = bytes.length - read;
  }

  /** @returns how many bytes were used */
  #read(bytes: Buffer): number {
    let at = Math.min(this.#skip, bytes.length);
    this.#skip -= at;
    for (;;) {
      this.#wanted = HEAD;
      if (bytes.length - at < HEAD) return at;
      const length = bytes.readUInt32LE(at);
      const kind = bytes[at + 4] as number;
      const id = bytes.readUInt32LE(at + 5);
      const textBytes = bytes.readUInt16LE(at + 13);
      if (kind < FRAME_KINDS.call || kind > FRAME_KINDS.pong) throw rpcErrors.BAD_FRAME({ why: `kind ${kind}` });
      if (length < COUNTED + textBytes) throw rpcErrors.BAD_FRAME({ why: `a length of ${length}` });
      const end = at + 4 + length;
      if (length > this.#longest) {
        this.#listener.onTooLong(kind, id);
        const used = Math.min(end, bytes.length);
        this.#skip = end - used;
        at = used;
        if (this.#skip > 0) return at;
        continue;
      }
      if (end > bytes.length) {
        this.#wanted = end - at;
        return at;
      }
      const number = bytes.readUInt32LE(at + 9);
      const bodyAt = at + HEAD + textBytes;
      const text = textBytes === 0 ? '' : bytes.toString('utf8', at + HEAD, bodyAt);
      this.#listener.onFrame({ kind, id, number, text, body: bytes.subarray(bodyAt, end) });
      at = end;
    }
  }
}

/** Sends frames: all that are added in one go leave in one write. */
export class FrameWriter {
  readonly #write: (bytes: Buffer) => void;
  #frames: Frame[] = [];

  /** @param write Gets the bytes once what runs now, and what follows from it, is done. */
  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  add(frame: Frame): void {
    if (this.#frames.push(frame) === 1) process.nextTick(() => this.flush());
  }

  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    this.#write(encodeFrames(frames));
  }
}
