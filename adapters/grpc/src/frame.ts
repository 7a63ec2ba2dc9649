import { rpcErrors } from '@souk/rpc';
import { grpcErrors } from './errors.ts';

/** A message with its flags, as gRPC, gRPC-Web and streams of Connect send it: one byte of flags, four of length, the data. */
export interface Frame {
  readonly flags: number;
  readonly data: Uint8Array;
}

export const COMPRESSED = 1;
/** Connect: what the data says is how the stream ended. */
export const END_STREAM = 2;
/** gRPC-Web: the data is the trailers. */
export const TRAILERS = 128;

const HEAD_BYTES = 5;

export function writeFrame(flags: number, data: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + data.length);
  frame[0] = flags;
  frame.writeUInt32BE(data.length, 1);
  frame.set(data, HEAD_BYTES);
  return frame;
}

/**
 * Finds frames in a stream of bytes that is cut anywhere. Holds no more than one frame and the chunk in which it ended.
 * @param limit Largest data, in bytes; a larger frame is refused by its head.
 */
export class FrameReader implements AsyncIterableIterator<Frame, undefined> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #limit: number;
  /** What is left of the last chunk. */
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** Chunks of a frame that is not complete. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #wanted = HEAD_BYTES;

  constructor(source: AsyncIterable<Uint8Array>, limit: number) {
    this.#source = source[Symbol.asyncIterator]();
    this.#limit = limit;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @throws RPC_BODY_TOO_LARGE, GRPC_MALFORMED_FRAME, what the source throws */
  async next(): Promise<IteratorResult<Frame, undefined>> {
    for (;;) {
      const frame = this.#take();
      if (frame !== undefined) return { done: false, value: frame };
      const result = await this.#source.next();
      if (result.done === true) {
        if (this.#partBytes + this.#chunk.length - this.#at > 0)
          throw grpcErrors.MALFORMED_FRAME({ why: 'it ends within a message' });
        return { done: true, value: undefined };
      }
      this.#add(result.value);
    }
  }

  async return(): Promise<IteratorResult<Frame, undefined>> {
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  #take(): Frame | undefined {
    if (this.#parts.length > 0) return undefined;
    const { length } = this.#chunk;
    if (length - this.#at < HEAD_BYTES) {
      this.#wanted = HEAD_BYTES;
      return undefined;
    }
    const start = this.#at + HEAD_BYTES;
    const size = this.#chunk.readUInt32BE(this.#at + 1);
    if (size > this.#limit) throw rpcErrors.BODY_TOO_LARGE({ limit: this.#limit });
    if (length - start < size) {
      this.#wanted = HEAD_BYTES + size;
      return undefined;
    }
    const flags = this.#chunk[this.#at] as number;
    this.#at = start + size;
    return { flags, data: this.#chunk.subarray(start, this.#at) };
  }

  /** Chunks are joined once for a head and once for a frame, however many there are. */
  #add(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#at === this.#chunk.length && this.#parts.length === 0) {
      this.#chunk = chunk;
      this.#at = 0;
      return;
    }
    if (this.#parts.length === 0) {
      this.#parts.push(this.#chunk.subarray(this.#at));
      this.#partBytes = this.#chunk.length - this.#at;
      this.#chunk = EMPTY;
      this.#at = 0;
    }
    this.#parts.push(chunk);
    this.#partBytes += chunk.length;
    if (this.#partBytes < this.#wanted) return;
    this.#chunk = Buffer.concat(this.#parts, this.#partBytes);
    this.#at = 0;
    this.#parts = [];
    this.#partBytes = 0;
  }
}

const EMPTY = Buffer.alloc(0);
