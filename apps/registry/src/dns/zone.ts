import { addressBytes } from './address.ts';
import { foldCase, type Name, textOf } from './name.ts';
import { ipv6Text } from './reader.ts';

/** What a name of the zone asks for. */
export type Lookup =
  | { readonly kind: 'service'; readonly service: string; readonly tag: string | undefined }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'address'; readonly address: string }
  /** The zone itself. */
  | { readonly kind: 'apex' }
  /** The name server of the zone, which is this registry. */
  | { readonly kind: 'nameServer' }
  /** Nothing of its own, but names below it exist. Saying NXDOMAIN here would deny those too (RFC 8020). */
  | { readonly kind: 'between' }
  | { readonly kind: 'unknown' }
  /** Not of the zone. */
  | { readonly kind: 'foreign' };

const KINDS = ['service', 'node', 'addr'];
const HEX = /^(?:[0-9a-f]{8}|[0-9a-f]{32})$/;

/**
 * Understands `[tag.]web.service[.dc1].consul`, `_web._tcp[.service][.dc1].consul`, `alpha.node[.dc1].consul` and
 * `0a000001.addr[.dc1].consul`, in any case.
 */
export function lookupOf(name: Name, zone: Name, datacenter: string): Lookup {
  const folded = name.map(foldCase);
  const inside = folded.length - zone.length;
  if (inside < 0 || zone.some((label, index) => foldCase(label) !== folded[inside + index])) return { kind: 'foreign' };
  const labels = folded.slice(0, inside);
  if (labels.length === 0) return { kind: 'apex' };
  if (labels.length === 1 && labels[0] === 'ns') return { kind: 'nameServer' };

  const rfc2782 = labels[0]?.startsWith('_') && labels[1]?.startsWith('_');
  const last = labels.at(-1) as string;
  const isDatacenter = textOf(last) === datacenter.toLowerCase() && (!rfc2782 || labels.length > 2);
  if (isDatacenter && !KINDS.includes(last)) labels.pop();
  if (labels.length === 0) return { kind: 'between' };

  if (rfc2782) {
    const [service = '', tag = '', kind = 'service', ...rest] = labels;
    if (kind !== 'service' || rest.length > 0 || service.length === 1 || tag.length === 1) return { kind: 'unknown' };
    const wanted = textOf(tag.slice(1));
    return { kind: 'service', service: textOf(service.slice(1)), tag: wanted === 'tcp' ? undefined : wanted };
  }

  const kind = labels.pop() as string;
  if (!KINDS.includes(kind)) return { kind: 'unknown' };
  const own = labels.pop();
  if (own === undefined) return { kind: 'between' };
  const before = labels.map(textOf).join('.');
  if (kind === 'service') {
    // `_tcp.service.consul` lies above every `_web._tcp.service.consul`.
    if (own.startsWith('_') && before === '') return { kind: 'between' };
    return { kind: 'service', service: textOf(own), tag: before === '' ? undefined : before };
  }
  if (kind === 'node') return { kind: 'node', node: before === '' ? textOf(own) : `${before}.${textOf(own)}` };
  if (before !== '' || !HEX.test(own)) return { kind: 'unknown' };
  const bytes = Buffer.from(own, 'hex');
  return { kind: 'address', address: bytes.length === 4 ? bytes.join('.') : ipv6Text(bytes) };
}

/** `0a000001` for 10.0.0.1; nothing for what is no IP address. */
export const hexLabel = (address: string): string | undefined => {
  const bytes = addressBytes(address);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
};
