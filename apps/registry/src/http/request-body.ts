import type { IncomingMessage } from 'node:http';
import { registryErrors } from '../errors.ts';

const NOTHING = Buffer.alloc(0);

/** @throws REGISTRY_TOO_LARGE, and lets the rest of the body go by */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> | Buffer {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) {
    request.resume();
    throw registryErrors.TOO_LARGE({ bytes: declared, max: maxBytes });
  }
  if (declared === 0 && request.headers['transfer-encoding'] === undefined) return NOTHING;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      request.off('data', onData);
      request.resume();
      reject(registryErrors.TOO_LARGE({ bytes, max: maxBytes }));
    };
    request.on('data', onData);
    request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.once('error', reject);
  });
}
