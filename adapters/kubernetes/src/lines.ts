/** A line may hold a slice of a thousand endpoints; what is longer than this is no answer of an API server. */
const LONGEST_BYTES = 16 * 1024 * 1024;

/** Puts lines together from the pieces in which they arrive. What has no line feed behind it yet is kept, and lost with the connection. */
export class Lines {
  #pieces: Buffer[] = [];
  #bytes = 0;
  readonly #longest: number;

  constructor(longestBytes = LONGEST_BYTES) {
    this.#longest = longestBytes;
  }

  /** True when a line has become longer than any can be. */
  get overflown(): boolean {
    return this.#bytes > this.#longest;
  }

  /** Bytes that wait for the end of their line. */
  get pending(): number {
    return this.#bytes;
  }

  /** @returns the lines that are whole now, without empty ones */
  push(chunk: Buffer): string[] {
    const whole: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      const line = Buffer.concat([...this.#pieces, chunk.subarray(from, at)])
        .toString('utf8')
        .trim();
      if (line !== '') whole.push(line);
      this.#pieces = [];
      this.#bytes = 0;
      from = at + 1;
    }
    if (from < chunk.length) {
      this.#pieces.push(chunk.subarray(from));
      this.#bytes += chunk.length - from;
    }
    return whole;
  }
}
