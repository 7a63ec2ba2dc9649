import { addressBytes } from './address.ts';
import { dnsErrors } from './errors.ts';
import { CLASS, HEADER_BYTES, type Message, type Question, type ResourceRecord, TYPE } from './message.ts';
import { isWritable, MAX_LABEL_BYTES, MAX_NAME_BYTES, type Name } from './name.ts';

/** The length field of TCP and of everything that points into a message. */
export const MAX_MESSAGE_BYTES = 65_535;

/** Pointers have fourteen bits. */
const MAX_POINTER = 0x3fff;

/**
 * Writes a message, names compressed (RFC 1035 section 4.1.4; the target of an SRV is not, as RFC 2782 wants it). Every call has a
 * buffer of its own.
 * @param maxBytes Most bytes it may take.
 * @returns nothing when it takes more
 * @throws REGISTRY_DNS_UNWRITABLE when a value does not fit its field: a label above 63 bytes, an address that is none
 */
export function writeMessage(message: Message, maxBytes: number = MAX_MESSAGE_BYTES): Uint8Array | undefined {
  const out = createOutput(Math.min(maxBytes, MAX_MESSAGE_BYTES));
  const { edns } = message;
  const { questions, answers, authorities, additionals } = message;
  if (edns === undefined && message.rcode > 15) throw dnsErrors.UNWRITABLE({ what: 'an rcode that needs EDNS0' });
  out.uint16(message.id);
  out.uint16(
    bit(message.response, 0x8000) |
      ((message.opcode & 0xf) << 11) |
      bit(message.authoritative, 0x0400) |
      bit(message.truncated, 0x0200) |
      bit(message.recursionDesired, 0x0100) |
      bit(message.recursionAvailable, 0x0080) |
      bit(message.authenticData, 0x0020) |
      bit(message.checkingDisabled, 0x0010) |
      (message.rcode & 0xf),
  );
  out.uint16(questions.length);
  out.uint16(answers.length);
  out.uint16(authorities.length);
  out.uint16(additionals.length + (edns === undefined ? 0 : 1));
  for (const question of questions) writeQuestion(out, question);
  for (const records of [answers, authorities, additionals]) {
    for (const record of records) {
      writeRecord(out, record);
      if (out.full) return undefined;
    }
  }
  if (edns !== undefined) {
    out.uint8(0);
    out.uint16(TYPE.OPT);
    out.uint16(edns.udpPayloadBytes);
    out.uint8(message.rcode >> 4);
    out.uint8(edns.version);
    out.uint16(bit(edns.dnssecOk, 0x8000));
    out.uint16(edns.options.length);
    out.raw(edns.options);
  }
  return out.full ? undefined : out.take();
}

/** An answer with nothing in it, for a query of which only the header could be read. */
export function writeHeaderOnly(header: HeaderFields, rcode: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const flags = bit(header.truncated === true, 0x0200) | bit(header.recursionDesired, 0x0100);
  view.setUint16(0, header.id);
  view.setUint16(2, 0x8000 | ((header.opcode & 0xf) << 11) | flags | (rcode & 0xf));
  return bytes;
}

interface HeaderFields {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly truncated?: boolean;
}

const bit = (set: boolean, mask: number): number => (set ? mask : 0);

function writeQuestion(out: Output, question: Question): void {
  out.name(question.name, true);
  out.uint16(question.type);
  out.uint16(question.class);
}

function writeRecord(out: Output, record: ResourceRecord): void {
  out.name(record.name, true);
  out.uint16(record.type === 'OTHER' ? record.typeCode : TYPE[record.type]);
  out.uint16(record.type === 'OTHER' ? record.class : CLASS.IN);
  out.uint32(record.ttl);
  out.counted(() => writeData(out, record));
}

function writeData(out: Output, record: ResourceRecord): void {
  switch (record.type) {
    case 'A':
    case 'AAAA': {
      const bytes = addressBytes(record.address);
      if (bytes?.length !== (record.type === 'A' ? 4 : 16))
        throw dnsErrors.UNWRITABLE({ what: `an address that is no ${record.type}` });
      out.raw(bytes);
      return;
    }
    case 'NS':
    case 'CNAME':
    case 'PTR':
      out.name(record.target, true);
      return;
    case 'SRV':
      out.uint16(record.priority);
      out.uint16(record.weight);
      out.uint16(record.port);
      out.name(record.target, false);
      return;
    case 'TXT':
      for (const text of record.strings) {
        if (text.length > 255) throw dnsErrors.UNWRITABLE({ what: 'a text above 255 bytes' });
        out.uint8(text.length);
        out.raw(Buffer.from(text, 'latin1'));
      }
      return;
    case 'SOA':
      out.name(record.primary, true);
      out.name(record.mailbox, true);
      out.uint32(record.serial);
      out.uint32(record.refresh);
      out.uint32(record.retry);
      out.uint32(record.expire);
      out.uint32(record.minimum);
      return;
    case 'OTHER':
      out.raw(record.data);
      return;
  }
}

interface Output {
  /** True when something did not fit: the message is of no use. */
  readonly full: boolean;
  uint8(value: number): void;
  uint16(value: number): void;
  uint32(value: number): void;
  raw(bytes: Uint8Array): void;
  name(name: Name, compress: boolean): void;
  /** Puts the length of what `write` writes before it. */
  counted(write: () => void): void;
  take(): Uint8Array;
}

function createOutput(maxBytes: number): Output {
  let bytes = Buffer.alloc(Math.min(512, maxBytes));
  let at = 0;
  let full = false;
  const offsets = new Map<string, number>();

  const room = (count: number): boolean => {
    if (full || at + count > maxBytes) {
      full = true;
      return false;
    }
    if (at + count > bytes.length) {
      const larger = Buffer.alloc(Math.min(maxBytes, Math.max(bytes.length * 2, at + count)));
      bytes.copy(larger, 0, 0, at);
      bytes = larger;
    }
    return true;
  };
  const uint8 = (value: number): void => {
    if (room(1)) at = bytes.writeUInt8(value & 0xff, at);
  };
  const uint16 = (value: number): void => {
    if (room(2)) at = bytes.writeUInt16BE(value & 0xffff, at);
  };

  return {
    get full() {
      return full;
    },
    uint8,
    uint16,
    uint32: (value) => {
      if (room(4)) at = bytes.writeUInt32BE(value >>> 0, at);
    },
    raw: (data) => {
      if (!room(data.length)) return;
      bytes.set(data, at);
      at += data.length;
    },
    name: (name, compress) => {
      if (!isWritable(name))
        throw dnsErrors.UNWRITABLE({
          what: `a name above ${MAX_NAME_BYTES} or a label outside 1..${MAX_LABEL_BYTES} bytes`,
        });
      for (let label = 0; label < name.length; label += 1) {
        // A byte of length before each label keeps ["a.b"] and ["a", "b"] apart.
        const rest = name.slice(label);
        const key = rest.map((part) => String.fromCharCode(part.length) + part).join('');
        const known = offsets.get(key);
        if (compress && known !== undefined) return uint16(0xc000 | known);
        if (known === undefined && at <= MAX_POINTER) offsets.set(key, at);
        const text = name[label] as string;
        uint8(text.length);
        if (!room(text.length)) return;
        at += bytes.write(text, at, 'latin1');
      }
      uint8(0);
    },
    counted: (write) => {
      const start = at;
      uint16(0);
      write();
      if (!full) bytes.writeUInt16BE(at - start - 2, start);
    },
    take: () => new Uint8Array(bytes.subarray(0, at)),
  };
}
