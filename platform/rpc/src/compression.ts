import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants, gunzip, gzip } from 'node:zlib';
import { rpcErrors } from './errors.ts';

/** Compressions of bodies that are understood, the preferred first. */
export type Compression = 'gzip' | 'br';

const COMPRESSIONS: readonly Compression[] = ['gzip', 'br'];
/** Below this, compressing costs more than it saves. */
const MIN_BYTES = 1024;
/** The library's own default is made for files that are compressed once. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

const compressors = {
  gzip: (body: string | Uint8Array) => promisify(gzip)(body),
  br: (body: string | Uint8Array) => promisify(brotliCompress)(body, BROTLI),
};
const decompressors = {
  gzip: (body: Uint8Array, maxOutputLength: number) => promisify(gunzip)(body, { maxOutputLength }),
  br: (body: Uint8Array, maxOutputLength: number) => promisify(brotliDecompress)(body, { maxOutputLength }),
};

/**
 * The compression that a header names; undefined: none.
 * @throws RPC_UNSUPPORTED_ENCODING
 */
export function readCompression(encoding: string | undefined): Compression | undefined {
  if (encoding === undefined || encoding === '' || encoding === 'identity') return undefined;
  const known = COMPRESSIONS.find((each) => each === encoding);
  if (known === undefined) throw rpcErrors.UNSUPPORTED_ENCODING();
  return known;
}

/**
 * @param limit Largest result, in bytes; nothing is made of the rest.
 * @throws RPC_BODY_TOO_LARGE, RPC_MALFORMED_BODY
 */
export async function decompress(compression: Compression, body: Uint8Array, limit: number): Promise<Uint8Array> {
  try {
    return await decompressors[compression](body, limit);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw rpcErrors.BODY_TOO_LARGE({ limit });
    throw rpcErrors.MALFORMED_BODY({ why: `it is not ${compression}` }, { cause });
  }
}

/** Compresses a body for a client that takes it, if that pays. */
export async function compressFor(
  accepted: string | undefined,
  body: string | Uint8Array,
): Promise<{ readonly compression: Compression; readonly body: Uint8Array } | undefined> {
  if (accepted === undefined || body.length < MIN_BYTES) return undefined;
  const wanted = accepted
    .toLowerCase()
    .split(',')
    .filter((each) => !/;\s*q=0(\.0*)?\s*$/.test(each))
    .map((each) => each.split(';')[0]?.trim());
  const compression = COMPRESSIONS.find((each) => wanted.includes(each));
  return compression && { compression, body: await compressors[compression](body) };
}
