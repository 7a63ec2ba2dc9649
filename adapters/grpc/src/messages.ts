import { type Compression, compressFor, decompress, readCompression } from '@souk/rpc';
import type { FramedType } from './content-type.ts';
import { grpcErrors } from './errors.ts';
import { COMPRESSED, END_STREAM, FrameReader, TRAILERS, writeFrame } from './frame.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** How the messages of a call are compressed. */
export interface Packing {
  readonly requests: Compression | undefined;
  /** The header of the answer that says so; undefined: nothing is compressed. */
  readonly answers: { readonly header: string; readonly compression: Compression } | undefined;
}

const HEADERS = {
  grpc: { sent: 'grpc-encoding', accepted: 'grpc-accept-encoding' },
  'grpc-web': { sent: 'grpc-encoding', accepted: 'grpc-accept-encoding' },
  connect: { sent: 'connect-content-encoding', accepted: 'connect-accept-encoding' },
} as const;
/** In the order in which they are offered and chosen. */
const KNOWN: readonly Compression[] = ['gzip', 'br'];

/** The header that tells clients which compressions are understood, when one came that is not. */
export const acceptedHeader = (protocol: FramedType['protocol']): Record<string, string> => ({
  [HEADERS[protocol].accepted]: KNOWN.join(','),
});

/** @throws RPC_UNSUPPORTED_ENCODING */
export function negotiate(protocol: FramedType['protocol'], headers: Headers): Packing {
  const { sent, accepted } = HEADERS[protocol];
  const requests = readCompression(headers[sent] as string | undefined);
  const wanted = (headers[accepted] as string | undefined)?.split(',').map((each) => each.trim().toLowerCase());
  const compression = KNOWN.find((each) => wanted?.includes(each));
  return { requests, answers: compression && { header: sent, compression } };
}

/** The messages in a body, decompressed. @throws RPC_BODY_TOO_LARGE, RPC_MALFORMED_BODY, GRPC_MALFORMED_FRAME */
export function readMessages(
  type: FramedType,
  body: AsyncIterable<Uint8Array>,
  compression: Compression | undefined,
  limit: number,
): AsyncIterableIterator<Uint8Array, undefined> {
  const frames = new FrameReader(type.isText ? decodeBase64(body) : body, limit);
  return {
    next: async () => {
      const result = await frames.next();
      if (result.done === true) return { done: true, value: undefined };
      const { flags, data } = result.value;
      if (flags === 0) return { done: false, value: data };
      if (flags !== COMPRESSED) throw grpcErrors.MALFORMED_FRAME({ why: whyNot(flags) });
      if (compression === undefined)
        throw grpcErrors.MALFORMED_FRAME({ why: 'a message is compressed, and no header says how' });
      return { done: false, value: await decompress(compression, data, limit) };
    },
    return: async () => {
      await frames.return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const whyNot = (flags: number): string =>
  (flags & (END_STREAM | TRAILERS)) !== 0 ? 'a request has no trailers' : 'a message has flags that nobody knows';

/** A message as it is sent: compressed if that was agreed and pays. */
export function writeMessage(data: Uint8Array, { answers }: Packing): Uint8Array | Promise<Uint8Array> {
  return answers === undefined ? writeFrame(0, data) : writeSmaller(data, answers.compression);
}

async function writeSmaller(data: Uint8Array, compression: Compression): Promise<Uint8Array> {
  const smaller = await compressFor(compression, data);
  return smaller === undefined ? writeFrame(0, data) : writeFrame(COMPRESSED, smaller.body);
}

/** Base64 that is cut anywhere, and padded wherever its sender has ended a piece. @throws GRPC_MALFORMED_FRAME */
async function* decodeBase64(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = '';
  for await (const chunk of body) {
    const text = rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    const whole = text.length - (text.length % 4);
    rest = text.slice(whole);
    // A padded group ends what can be decoded in one go.
    for (const piece of text.slice(0, whole).match(PADDED_PIECES) ?? []) {
      if (!BASE64.test(piece)) throw grpcErrors.MALFORMED_FRAME({ why: 'it is not base64' });
      yield Buffer.from(piece, 'base64');
    }
  }
  if (rest !== '') throw grpcErrors.MALFORMED_FRAME({ why: 'its base64 is not complete' });
}

const PADDED_PIECES = /[^=]+=*|=+/g;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
