import type { ServerResponse } from 'node:http';
import type { HttpCall, HttpReply } from './http-call.ts';

type Pieces = AsyncIterable<Uint8Array | string>;

/** Headers that belong to a connection of HTTP/1.1 and that HTTP/2 forbids. */
const CONNECTION = 'connection';

/** Up to so many bytes a body is made one text with its head: one write of the system instead of a list of two. */
const ONE_WRITE_BYTES = 8192;

/**
 * Writes a reply. One that comes in pieces is written as fast as the client reads, and ended when the client is gone.
 * @param common Headers of every reply
 * @returns when what comes in pieces is at its end
 * @throws what a reply that cannot be written makes: a header with a line break, for example
 */
export function writeReply(
  response: ServerResponse,
  call: HttpCall,
  reply: HttpReply,
  common: Readonly<Record<string, string>> | undefined,
): Promise<void> | undefined {
  const { body } = reply;
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array))
    return writePieces(response, call, reply, body, common);
  if (response.destroyed) return undefined;
  if (reply.trailers !== undefined) {
    response.writeHead(reply.status, headersOf(call, reply, common));
    if (body !== undefined) response.write(body);
    response.addTrailers(reply.trailers());
    response.end();
    return undefined;
  }
  const headers = headersOf(call, reply, common);
  if (body !== undefined)
    headers['content-length'] = String(typeof body === 'string' ? Buffer.byteLength(body) : body.length);
  response.writeHead(reply.status, headers);
  if (call.verb === 'HEAD' || body === undefined) response.end();
  else if (typeof body === 'string' || call.fullDuplex || body.length > ONE_WRITE_BYTES) response.end(body);
  else response.end(latin1(body), 'latin1');
  return undefined;
}

async function writePieces(
  response: ServerResponse,
  call: HttpCall,
  reply: HttpReply,
  body: Pieces,
  common: Readonly<Record<string, string>> | undefined,
): Promise<void> {
  if (response.destroyed) return letGo(body);
  response.writeHead(reply.status, headersOf(call, reply, common));
  if (call.verb !== 'HEAD') return pump(response, body, reply.trailers);
  response.end();
  return letGo(body);
}

function headersOf(
  call: HttpCall,
  reply: HttpReply,
  common: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const headers = { ...reply.headers, ...common };
  if (call.fullDuplex && CONNECTION in headers) delete headers[CONNECTION];
  return headers;
}

/** Each byte a character. */
const latin1 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('latin1');

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
