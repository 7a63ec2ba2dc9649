import { fromUnknown, hasReason, type Logger } from '@souk/kernel';
import { CLASS, type Edns, type Message, OPCODE_QUERY, RCODE, type ResourceRecord } from './message.ts';
import { readHeader, readMessage } from './reader.ts';
import type { Answer, Resolution, Resolver } from './resolver.ts';
import { MAX_MESSAGE_BYTES, writeHeaderOnly, writeMessage } from './writer.ts';

/** What a client takes that does not speak EDNS0 (RFC 1035). */
const PLAIN_UDP_BYTES = 512;
/** Records a question may carry: EDNS0, a signature. Counts above that are an attack or an accident. */
const MAX_QUERY_RECORDS = 16;
/** The smallest answer: a pointer to the name, ten bytes, an IPv4 address. */
const MIN_ANSWER_BYTES = 16;
const TYPE_ZONE_TRANSFERS = [251, 252];

export type Transport = 'udp' | 'tcp';

/**
 * Answers one DNS message with one, or with nothing when it deserves none (no header, or itself an answer). Never throws.
 *
 * What does not fit is left out a whole answer at a time, each with the addresses that belong to it, and the answer says so (TC): the client
 * asks again over TCP.
 */
export function createResponder(options: {
  readonly resolver: Resolver;
  readonly log: Logger;
  readonly udpMaxBytes: number;
}): (query: Uint8Array, transport: Transport) => Uint8Array | undefined {
  const { resolver, log, udpMaxBytes } = options;

  const respond = (query: Message, transport: Transport): Uint8Array => {
    const { edns } = query;
    const [question] = query.questions;
    const maxBytes =
      transport === 'tcp'
        ? MAX_MESSAGE_BYTES
        : Math.min(udpMaxBytes, Math.max(PLAIN_UDP_BYTES, edns?.udpPayloadBytes ?? 0));
    const reply: Message = {
      ...query,
      response: true,
      truncated: false,
      authoritative: false,
      recursionAvailable: false,
      authenticData: false,
      rcode: RCODE.NOERROR,
      answers: [],
      authorities: [],
      additionals: [],
      ...(edns === undefined ? {} : { edns: ourEdns(udpMaxBytes) }),
    };
    if (edns !== undefined && edns.version > 0) return fit({ ...reply, rcode: RCODE.BADVERS }, nothing, maxBytes);
    const inClass = question?.class === CLASS.IN || question?.class === CLASS.ANY;
    if (question === undefined || !inClass || TYPE_ZONE_TRANSFERS.includes(question.type))
      return fit({ ...reply, rcode: RCODE.REFUSED }, nothing, maxBytes);
    const found = resolver.resolve(question, Math.ceil(maxBytes / MIN_ANSWER_BYTES));
    return fit({ ...reply, rcode: found.rcode, authoritative: found.authoritative }, found, maxBytes);
  };

  return (bytes, transport) => {
    const header = readHeader(bytes);
    if (header === undefined || header.response) return undefined;
    if (header.opcode !== OPCODE_QUERY) return writeHeaderOnly(header, RCODE.NOTIMP);
    if (header.questionCount !== 1 || header.recordCount > MAX_QUERY_RECORDS)
      return writeHeaderOnly(header, RCODE.FORMERR);
    try {
      return respond(readMessage(bytes), transport);
    } catch (thrown) {
      if (hasReason(thrown, 'REGISTRY_DNS_MALFORMED')) return writeHeaderOnly(header, RCODE.FORMERR);
      log.error('a DNS question could not be answered', { err: fromUnknown(thrown) });
      return writeHeaderOnly(header, RCODE.SERVFAIL);
    }
  };
}

const nothing: Pick<Resolution, 'answers' | 'authorities'> = { answers: [], authorities: [] };

const ourEdns = (udpPayloadBytes: number): Edns => ({
  udpPayloadBytes,
  version: 0,
  dnssecOk: false,
  options: new Uint8Array(0),
});

/** As many answers as fit, from the first. */
function fit(reply: Message, found: Pick<Resolution, 'answers' | 'authorities'>, maxBytes: number): Uint8Array {
  const { answers, authorities } = found;
  const attempt = (count: number): Uint8Array | undefined => {
    const kept = answers.slice(0, count);
    const truncated = count < answers.length;
    return writeMessage(
      { ...reply, truncated, authorities, answers: kept.map(({ record }) => record), additionals: distinct(kept) },
      maxBytes,
    );
  };
  const whole = attempt(answers.length);
  if (whole !== undefined) return whole;
  // What fits with n answers fits with fewer: halve the range in which the largest such n lies.
  let best: Uint8Array | undefined;
  let [low, high] = [0, answers.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const bytes = attempt(middle);
    if (bytes === undefined) high = middle - 1;
    else {
      best = bytes;
      low = middle + 1;
    }
  }
  // Even the question did not fit, which takes a zone name of hundreds of bytes.
  return best ?? writeHeaderOnly({ ...reply, truncated: true }, reply.rcode & 0xf);
}

/** Instances on one node share its address. */
function distinct(answers: readonly Answer[]): ResourceRecord[] {
  const records = new Map<string, ResourceRecord>();
  for (const { additionals } of answers) {
    for (const record of additionals) records.set(`${record.type}\n${record.name.join('\n')}`, record);
  }
  return [...records.values()];
}
