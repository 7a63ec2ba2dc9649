import type { Envelope } from '@souk/messaging';
import type { AsyncMessage } from 'rabbitmq-client';
import { rabbitmqErrors } from './errors.ts';

// How events look in AMQP 0-9-1: CloudEvents 1.0 in binary mode, an attribute per header, the protobuf as the body.

const PREFIX = 'cloudEvents_';

/** A content type that the client library leaves alone. */
const DATA_TYPE = 'application/protobuf';

const NAMES = new Set(
  'specversion id source type dataschema partitionkey time traceparent causationid'
    .split(' ')
    .map((name) => PREFIX + name),
);

/** Where ordered events of a key go: always the same of `partitions`. */
export const partitionOf = ({ source, key }: Envelope, partitions: number): number =>
  hash(source, hash(key, 0)) % partitions;

/** Words between dots that stand for any text. */
export const toToken = (text: string): string =>
  text.replace(/[^\w.-]/gu, (char) => [...Buffer.from(char)].map((byte) => `%${byte.toString(16)}`).join(''));

/** What a message carries beside its body. */
export function toProperties(envelope: Envelope) {
  const { causationId, extensions = {} } = envelope;
  const attributes: Record<string, string> = {
    ...extensions,
    specversion: '1.0',
    id: envelope.id,
    source: envelope.source,
    type: envelope.type,
    dataschema: envelope.schema,
    partitionkey: envelope.key,
    time: envelope.time,
    traceparent: envelope.traceparent,
    ...(causationId === undefined ? {} : { causationid: causationId }),
  };
  return {
    messageId: envelope.id,
    contentType: DATA_TYPE,
    headers: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [PREFIX + name, value])),
  };
}

/** @throws RABBITMQ_UNREADABLE */
export function toEnvelope({ headers = {}, body }: AsyncMessage, queue: string): Envelope {
  const get = (name: string): string => {
    const value = headers[PREFIX + name];
    if (typeof value === 'string') return value;
    throw rabbitmqErrors.UNREADABLE({ queue, header: PREFIX + name });
  };
  if (!Buffer.isBuffer(body)) throw rabbitmqErrors.UNREADABLE({ queue, header: 'a binary body' });
  const unknown = Object.keys(headers).filter((name) => name.startsWith(PREFIX) && !NAMES.has(name));
  return {
    ...(unknown.length === 0
      ? {}
      : { extensions: Object.fromEntries(unknown.map((name) => [name.slice(PREFIX.length), String(headers[name])])) }),
    id: get('id'),
    source: get('source'),
    type: get('type'),
    schema: get('dataschema'),
    key: get('partitionkey'),
    time: get('time'),
    traceparent: get('traceparent'),
    causationId: headers[`${PREFIX}causationid`] === undefined ? undefined : get('causationid'),
    data: new Uint8Array(body),
  };
}

/** How often the queue has given it out before: absent, then 1, 2, ... */
export const earlierDeliveries = ({ headers }: AsyncMessage): number => Number(headers?.['x-delivery-count'] ?? 0);

/** FNV-1a. Part of the wire: another function would give a key's later events to another queue. */
function hash(text: string, seed: number): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return value;
}
