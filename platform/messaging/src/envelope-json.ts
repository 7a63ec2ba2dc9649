import type { Envelope } from './envelope.ts';

/** CloudEvents 1.0 in its JSON format, `data` in Base64: how an event is kept where people look at it. */
export interface EnvelopeJson {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly dataschema: string;
  readonly datacontenttype: 'application/protobuf';
  readonly partitionkey: string;
  readonly time: string;
  readonly traceparent: string;
  readonly causationid?: string;
  readonly data_base64: string;
  /** Attributes that this version does not know stand beside the others. */
  readonly [extension: string]: unknown;
}

const KNOWN: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'dataschema',
  'datacontenttype',
  'partitionkey',
  'time',
  'traceparent',
  'causationid',
  'data_base64',
]);

export const toEnvelopeJson = (envelope: Envelope): EnvelopeJson => ({
  ...envelope.extensions,
  specversion: '1.0',
  id: envelope.id,
  source: envelope.source,
  type: envelope.type,
  dataschema: envelope.schema,
  datacontenttype: 'application/protobuf',
  partitionkey: envelope.key,
  time: envelope.time,
  traceparent: envelope.traceparent,
  ...(envelope.causationId === undefined ? {} : { causationid: envelope.causationId }),
  data_base64: Buffer.from(envelope.data).toString('base64'),
});

export const fromEnvelopeJson = (json: EnvelopeJson): Envelope => ({
  ...extensionsOf(json),
  id: json.id,
  source: json.source,
  type: json.type,
  schema: json.dataschema,
  key: json.partitionkey,
  time: json.time,
  traceparent: json.traceparent,
  causationId: json.causationid,
  data: new Uint8Array(Buffer.from(json.data_base64, 'base64')),
});

function extensionsOf(json: EnvelopeJson): Pick<Envelope, 'extensions'> {
  const unknown = Object.entries(json).filter(([name]) => !KNOWN.has(name));
  return unknown.length === 0
    ? {}
    : { extensions: Object.fromEntries(unknown.map(([name, value]) => [name, String(value)])) };
}
