import type { ServerResponse } from 'node:http';
import type { HttpCall, HttpReply } from './http-call.ts';

type Pieces = AsyncIterable<Uint8Array | string>;

/** Headers that belong to a connection of HTTP/1.1 and that HTTP/2 forbids. */
const CONNECTION = 'connection';

/**
 * Writes a reply. One that comes in pieces is written as fast as the client reads, and ended when the client is gone.
 * @param common Headers of every reply
 * @throws nothing but what a reply that cannot be written makes: a header with a line break, for example
 */
export async function writeReply(
  response: ServerResponse,
  call: HttpCall,
  reply: HttpReply,
  common: Readonly<Record<string, string>>,
): Promise<void> {
  const { body } = reply;
  const isWhole = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  if (response.destroyed) return isWhole ? undefined : letGo(body);
  const headers: Record<string, string | number> = { ...reply.headers, ...common };
  if (call.fullDuplex && CONNECTION in headers) delete headers[CONNECTION];
  if (!isWhole) {
    response.writeHead(reply.status, headers);
    if (call.verb !== 'HEAD') return pump(response, body, reply.trailers);
    response.end();
    return letGo(body);
  }
  if (body !== undefined && reply.trailers === undefined)
    headers['content-length'] = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(reply.status, headers);
  if (reply.trailers !== undefined) {
    if (body !== undefined) response.write(body);
    response.addTrailers(reply.trailers());
    response.end();
  } else response.end(call.verb === 'HEAD' ? undefined : body);
}

async function pump(response: ServerResponse, pieces: Pieces, trailers: HttpReply['trailers']): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]();
  // The client must know that the stream is open, also when there is nothing to say yet.
  response.flushHeaders();
  const end = async (): Promise<void> => void (await iterator.return?.());
  const gone = new Promise<void>((resolve) => response.once('close', resolve));
  // Also while it waits for its next piece.
  gone.then(end).catch(() => {});
  try {
    for (;;) {
      const result = await iterator.next();
      if (response.destroyed) return;
      if (result.done === true) {
        if (trailers !== undefined) response.addTrailers(trailers());
        response.end();
        return;
      }
      if (!write(response, result.value)) await Promise.race([drained(response), gone]);
    }
  } catch {
    // The status is out: all that is left to say is that this is not the end.
    response.destroy();
  }
}

/** Pieces that are there at once leave in one go. */
function write(response: ServerResponse, piece: Uint8Array | string): boolean {
  if (response.writableCorked === 0) {
    response.cork();
    process.nextTick(() => response.uncork());
  }
  return response.write(piece);
}

const drained = (response: ServerResponse): Promise<void> => new Promise((resolve) => response.once('drain', resolve));

async function letGo(pieces: Pieces): Promise<void> {
  await pieces[Symbol.asyncIterator]().return?.();
}
