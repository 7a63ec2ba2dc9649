import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { Envelope } from '@souk/messaging';
import { natsErrors } from './errors.ts';

// How events look in NATS: CloudEvents 1.0 in binary mode, an attribute per header, the protobuf as the body.

const DATA_TYPE = 'application/protobuf';

const NAMES = new Set(
  'specversion id source type dataschema partitionkey time traceparent causationid'
    .split(' ')
    .map((name) => `ce-${name}`),
);

/** Where ordered events of a key go: always the same of `partitions`. */
export const partitionOf = ({ source, key }: Envelope, partitions: number): number =>
  hash(source, hash(key, 0)) % partitions;

/** The token between dots that stands for any text. */
export const toToken = (text: string): string =>
  text.replace(/[^\w.-]/gu, (char) => [...Buffer.from(char)].map((byte) => `%${byte.toString(16)}`).join(''));

export function toHeaders(envelope: Envelope): MsgHdrs {
  const made = headers();
  const set = (name: string, value: string) => made.set(`ce-${name}`, encode(value));
  for (const [name, value] of Object.entries(envelope.extensions ?? {})) set(name, value);
  set('specversion', '1.0');
  set('id', envelope.id);
  set('source', envelope.source);
  set('type', envelope.type);
  set('dataschema', envelope.schema);
  set('partitionkey', envelope.key);
  set('time', envelope.time);
  set('traceparent', envelope.traceparent);
  if (envelope.causationId !== undefined) set('causationid', envelope.causationId);
  made.set('content-type', DATA_TYPE);
  return made;
}

/** By it the server tells duplicates. @param losses Streams that were lost before. */
export const messageId = ({ source, id }: Envelope, losses: number): string =>
  encode(`${source}#${id}${losses === 0 ? '' : `#${losses}`}`);

/** @throws NATS_UNREADABLE */
export function toEnvelope(found: MsgHdrs | undefined, data: Uint8Array, sequence: number): Envelope {
  const get = (name: string): string => {
    if (found?.has(`ce-${name}`)) return decode(found.get(`ce-${name}`));
    throw natsErrors.UNREADABLE({ sequence, header: `ce-${name}` });
  };
  const unknown = (found?.keys() ?? []).filter((name) => name.startsWith('ce-') && !NAMES.has(name));
  return {
    ...(unknown.length === 0
      ? {}
      : { extensions: Object.fromEntries(unknown.map((name) => [name.slice(3), get(name.slice(3))])) }),
    id: get('id'),
    source: get('source'),
    type: get('type'),
    schema: get('dataschema'),
    key: get('partitionkey'),
    time: get('time'),
    traceparent: get('traceparent'),
    causationId: found?.has('ce-causationid') ? get('causationid') : undefined,
    // The library's buffer is shared with other messages.
    data: data.slice(),
  };
}

/** Headers are lines: everything but plain visible characters is written as in the HTTP binding of CloudEvents. */
const encode = (value: string): string =>
  value.toWellFormed().replace(/[^\x21-\x24\x26-\x7e]/gu, (char) => encodeURIComponent(char));

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    // Written by somebody who does not encode.
    return value;
  }
}

/** FNV-1a. Part of the wire: another function would give a key's later events to another consumer. */
function hash(text: string, seed: number): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return value;
}
