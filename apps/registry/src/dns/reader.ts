import { dnsErrors } from './errors.ts';
import { CLASS, type Edns, HEADER_BYTES, type Message, type Question, type ResourceRecord, TYPE } from './message.ts';
import { latin1, readName } from './name.ts';

/** The first twelve bytes: enough to answer a message whose rest makes no sense. */
export interface Header {
  readonly id: number;
  readonly response: boolean;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly questionCount: number;
  readonly recordCount: number;
}

/** @returns nothing when there are fewer than twelve bytes */
export function readHeader(bytes: Uint8Array): Header | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = viewOf(bytes);
  const flags = view.getUint16(2);
  return {
    id: view.getUint16(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0xf,
    recursionDesired: (flags & 0x0100) !== 0,
    questionCount: view.getUint16(4),
    recordCount: view.getUint16(6) + view.getUint16(8) + view.getUint16(10),
  };
}

/**
 * Reads a DNS message. Bytes behind the last record are ignored.
 * @throws REGISTRY_DNS_MALFORMED for anything that is none, and nothing else
 */
export function readMessage(bytes: Uint8Array): Message {
  const header = readHeader(bytes);
  if (header === undefined) throw dnsErrors.MALFORMED({ what: 'no whole header', offset: bytes.length });
  const view = viewOf(bytes);
  const flags = view.getUint16(2);
  let at = HEADER_BYTES;

  const questions: Question[] = [];
  for (let left = header.questionCount; left > 0; left -= 1) {
    const { name, end } = readName(bytes, at);
    need(bytes, end, 4);
    questions.push({ name, type: view.getUint16(end), class: view.getUint16(end + 2) });
    at = end + 4;
  }

  let opt: { readonly edns: Edns; readonly rcodeHigh: number } | undefined;
  const section = (count: number, mayHoldOpt: boolean): ResourceRecord[] => {
    const records: ResourceRecord[] = [];
    for (let left = count; left > 0; left -= 1) {
      const { name, end } = readName(bytes, at);
      need(bytes, end, 10);
      const type = view.getUint16(end);
      const start = end + 10;
      const size = view.getUint16(end + 8);
      need(bytes, start, size);
      const raw: RawRecord = {
        type,
        class: view.getUint16(end + 2),
        ttl: view.getUint32(end + 4),
        start,
        end: start + size,
      };
      if (type === TYPE.OPT) {
        if (!mayHoldOpt || opt !== undefined || name.length > 0)
          throw dnsErrors.MALFORMED({ what: 'a misplaced OPT record', offset: at });
        opt = { edns: readEdns(bytes, raw), rcodeHigh: raw.ttl >>> 24 };
      } else {
        records.push({ ...readData(bytes, raw), name, ttl: raw.ttl } as ResourceRecord);
      }
      at = raw.end;
    }
    return records;
  };
  const answers = section(view.getUint16(6), false);
  const authorities = section(view.getUint16(8), false);
  const additionals = section(view.getUint16(10), true);

  return {
    id: header.id,
    response: header.response,
    opcode: header.opcode,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: header.recursionDesired,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    rcode: (flags & 0xf) | ((opt?.rcodeHigh ?? 0) << 4),
    questions,
    answers,
    authorities,
    additionals,
    ...(opt === undefined ? {} : { edns: opt.edns }),
  };
}

interface RawRecord {
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly start: number;
  readonly end: number;
}

type Omitted<T> = T extends unknown ? Omit<T, 'name' | 'ttl'> : never;

function readData(bytes: Uint8Array, raw: RawRecord): Omitted<ResourceRecord> {
  const view = viewOf(bytes);
  const { start, end } = raw;
  const name = (at: number, last = true): ReturnType<typeof readName> => {
    const found = readName(bytes, at);
    if (last ? found.end !== end : found.end > end)
      throw dnsErrors.MALFORMED({ what: 'a name that does not fit its record', offset: at });
    return found;
  };
  const size = (wanted: number): void => {
    if (end - start !== wanted) throw dnsErrors.MALFORMED({ what: 'data of the wrong length', offset: start });
  };
  if (raw.class !== CLASS.IN) return other(bytes, raw);
  switch (raw.type) {
    case TYPE.A:
      size(4);
      return { type: 'A', address: bytes.subarray(start, end).join('.') };
    case TYPE.AAAA:
      size(16);
      return { type: 'AAAA', address: ipv6Text(bytes.subarray(start, end)) };
    case TYPE.NS:
      return { type: 'NS', target: name(start).name };
    case TYPE.CNAME:
      return { type: 'CNAME', target: name(start).name };
    case TYPE.PTR:
      return { type: 'PTR', target: name(start).name };
    case TYPE.SRV:
      if (end - start < 7) throw dnsErrors.MALFORMED({ what: 'data of the wrong length', offset: start });
      return {
        type: 'SRV',
        priority: view.getUint16(start),
        weight: view.getUint16(start + 2),
        port: view.getUint16(start + 4),
        target: name(start + 6).name,
      };
    case TYPE.TXT:
      return { type: 'TXT', strings: readStrings(bytes, start, end) };
    case TYPE.SOA: {
      const primary = name(start, false);
      const mailbox = name(primary.end, false);
      const at = mailbox.end;
      if (end - at !== 20) throw dnsErrors.MALFORMED({ what: 'data of the wrong length', offset: at });
      return {
        type: 'SOA',
        primary: primary.name,
        mailbox: mailbox.name,
        serial: view.getUint32(at),
        refresh: view.getUint32(at + 4),
        retry: view.getUint32(at + 8),
        expire: view.getUint32(at + 12),
        minimum: view.getUint32(at + 16),
      };
    }
    default:
      return other(bytes, raw);
  }
}

const other = (bytes: Uint8Array, raw: RawRecord): Omitted<ResourceRecord> => ({
  type: 'OTHER',
  typeCode: raw.type,
  class: raw.class,
  data: bytes.slice(raw.start, raw.end),
});

function readStrings(bytes: Uint8Array, start: number, end: number): string[] {
  const strings: string[] = [];
  for (let at = start; at < end; ) {
    const next = at + 1 + (bytes[at] as number);
    if (next > end) throw dnsErrors.MALFORMED({ what: 'a text that does not fit its record', offset: at });
    strings.push(latin1(bytes, at + 1, next));
    at = next;
  }
  return strings;
}

const readEdns = (bytes: Uint8Array, raw: RawRecord): Edns => ({
  udpPayloadBytes: raw.class,
  version: (raw.ttl >>> 16) & 0xff,
  dnssecOk: (raw.ttl & 0x8000) !== 0,
  options: bytes.slice(raw.start, raw.end),
});

function need(bytes: Uint8Array, at: number, count: number): void {
  if (at + count > bytes.length) throw dnsErrors.MALFORMED({ what: 'an end in the middle', offset: at });
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** RFC 5952: lower case, the first longest run of two or more zero groups left out. */
export function ipv6Text(bytes: Uint8Array): string {
  const view = viewOf(bytes);
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2));
  let longest = { at: -1, length: 1 };
  for (let at = 0; at < 8; at += 1) {
    let length = 0;
    while (groups[at + length] === 0) length += 1;
    if (length > longest.length) longest = { at, length };
    at += length;
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (longest.at === -1) return hex(groups);
  return `${hex(groups.slice(0, longest.at))}::${hex(groups.slice(longest.at + longest.length))}`;
}
