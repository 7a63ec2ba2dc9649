import { dnsErrors } from './errors.ts';

/** Labels of a domain name from the left, without the root. Latin-1: a character is a byte, so that any name survives. */
export type Name = readonly string[];

export const MAX_LABEL_BYTES = 63;
/** Of a whole name on the wire, lengths and root included. */
export const MAX_NAME_BYTES = 255;

const LENGTH_KIND = 0xc0;
const POINTER_MASK = 0x3fff;

export interface NameAt {
  readonly name: Name;
  /** First byte behind the name. */
  readonly end: number;
}

/**
 * Reads a name that may be compressed. Every pointer must lead further back than all before it, so a loop is impossible and the
 * work is bounded by the length of the message.
 * @throws REGISTRY_DNS_MALFORMED
 */
export function readName(bytes: Uint8Array, start: number): NameAt {
  const labels: string[] = [];
  let size = 1;
  let at = start;
  let end = -1;
  let lowest = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) throw dnsErrors.MALFORMED({ what: 'a name that does not end', offset: at });
    if ((length & LENGTH_KIND) === LENGTH_KIND) {
      const low = bytes[at + 1];
      if (low === undefined) throw dnsErrors.MALFORMED({ what: 'half a pointer', offset: at });
      const target = ((length << 8) | low) & POINTER_MASK;
      if (target >= lowest) throw dnsErrors.MALFORMED({ what: 'a pointer that does not lead back', offset: at });
      if (end === -1) end = at + 2;
      lowest = target;
      at = target;
      continue;
    }
    if ((length & LENGTH_KIND) !== 0) throw dnsErrors.MALFORMED({ what: 'a label of unknown kind', offset: at });
    if (length === 0) return { name: labels, end: end === -1 ? at + 1 : end };
    size += length + 1;
    if (size > MAX_NAME_BYTES) throw dnsErrors.MALFORMED({ what: 'a name above 255 bytes', offset: at });
    if (at + 1 + length > bytes.length) throw dnsErrors.MALFORMED({ what: 'half a label', offset: at });
    labels.push(latin1(bytes, at + 1, at + 1 + length));
    at += length + 1;
  }
}

/** True when the name can be sent: every label 1 to 63 bytes, the whole at most 255. */
export const isWritable = (name: Name): boolean =>
  name.every((label) => label.length > 0 && label.length <= MAX_LABEL_BYTES) &&
  name.reduce((size, label) => size + label.length + 1, 1) <= MAX_NAME_BYTES;

/** `web.service.consul.` as labels. A dot always separates; text beyond ASCII becomes its UTF-8 bytes. */
export const nameOf = (text: string): Name =>
  Buffer.from(text, 'utf8')
    .toString('latin1')
    .split('.')
    .filter((label) => label !== '');

/** For comparing: DNS ignores the case of ASCII letters, and of nothing else (RFC 4343). */
export const foldCase = (label: string): string => label.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** UTF-8 of a label or of labels joined by dots, as the catalog knows it. */
export const textOf = (label: string): string => Buffer.from(label, 'latin1').toString('utf8');

export const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
