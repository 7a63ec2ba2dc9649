import { isIPv4, isIPv6 } from 'node:net';

/** The bytes of an IP address in text: 4, 16, or nothing when it is none. An IPv4 address inside IPv6 stays IPv6. */
export function addressBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text)) return undefined;
  const plain = text.split('%', 1)[0] as string;
  const [before = '', after] = plain.split('::');
  const head = groupBytes(before);
  const tail = after === undefined ? [] : groupBytes(after);
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

const groupBytes = (part: string): number[] =>
  part === ''
    ? []
    : part.split(':').flatMap((group) => {
        if (group.includes('.')) return group.split('.').map(Number);
        const value = Number.parseInt(group, 16);
        return [value >> 8, value & 0xff];
      });
