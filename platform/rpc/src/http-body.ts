import type { IncomingMessage } from 'node:http';
import { kernelErrors, type Timers } from '@souk/kernel';
import { decompress, readCompression } from './compression.ts';
import { rpcErrors } from './errors.ts';

/**
 * Reads a body up to a limit, decompressed; past it, nothing more is read.
 * @throws RPC_BODY_TOO_LARGE, RPC_UNSUPPORTED_ENCODING, RPC_MALFORMED_BODY, SOUK_CANCELED when the client is gone
 */
export function readBody(request: IncomingMessage, limit: number, timers: Timers): Promise<Uint8Array> {
  if (request.httpVersionMajor < 2 && request.headers['content-encoding'] === undefined) return readRaw(request, limit);
  return readWhole(request, limit, timers);
}

async function readWhole(request: IncomingMessage, limit: number, timers: Timers): Promise<Uint8Array> {
  const compression = readCompression(request.headers['content-encoding']);
  const body = await readRaw(request, limit);
  const isComplete = body.length === Number(request.headers['content-length'] ?? Number.NaN);
  if (!isComplete) await refuseCut(request, timers);
  return compression === undefined ? body : decompress(compression, body, limit);
}

function readRaw(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > limit)
    return Promise.reject(rpcErrors.BODY_TOO_LARGE({ limit }));
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    let isOver = false;
    const onData = (chunk: Uint8Array): void => {
      size += chunk.length;
      if (size <= limit) return void chunks.push(chunk);
      isOver = true;
      request.off('data', onData);
      request.pause();
      reject(rpcErrors.BODY_TOO_LARGE({ limit }));
    };
    request.on('data', onData);
    request.on('end', () => {
      isOver = true;
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size));
    });
    request.on('error', (cause) => reject(kernelErrors.CANCELED({}, { cause })));
    // Every request closes; an error is made only of one that was cut off.
    request.on('close', () => {
      if (!isOver) reject(kernelErrors.CANCELED());
    });
  });
}

/**
 * A body as it comes, no faster than it is taken.
 * @param timers Undefined: who reads knows by itself whether the body is complete.
 * @throws SOUK_CANCELED when the client is gone before its end
 */
export async function* bodyChunks(request: IncomingMessage, timers: Timers | undefined): AsyncGenerator<Uint8Array> {
  try {
    // The connection outlives the body: replies are still to be written.
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw kernelErrors.CANCELED({}, { cause });
  }
  if (timers !== undefined) await refuseCut(request, timers);
}

/** Over HTTP/2, a body that its client cuts off ends like one that is complete; only then does the request hear that it was cut. */
async function refuseCut(request: IncomingMessage, timers: Timers): Promise<void> {
  if (request.httpVersionMajor < 2) return;
  await timers.sleep(0);
  if (request.aborted) throw kernelErrors.CANCELED();
}

/** @throws RPC_UNSUPPORTED_MEDIA_TYPE unless the type is one of `wanted`, in UTF-8 */
export function demandMediaType(header: string | undefined, wanted: readonly string[]): string {
  if (header !== undefined && wanted.includes(header)) return header;
  const [type = '', ...parameters] = (header ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '');
  if (wanted.includes(type) && (charset === undefined || charset === 'utf-8' || charset === 'utf8')) return type;
  throw rpcErrors.UNSUPPORTED_MEDIA_TYPE({ wanted: wanted.join(' or ') });
}
