import { gunzip, gzip } from 'node:zlib';

const FAST = { level: 1 } as const;

export const pack = (body: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => gzip(body, FAST, (error, packed) => (error ? reject(error) : resolve(packed))));

/** @throws an error whose code is ERR_BUFFER_TOO_LARGE beyond the limit */
export const unpack = (body: Uint8Array, limit: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) =>
    gunzip(body, { maxOutputLength: limit }, (error, unpacked) => (error ? reject(error) : resolve(unpacked))),
  );
