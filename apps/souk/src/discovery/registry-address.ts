import { appErrors } from '../errors.ts';

/** Where a registry is, and what it speaks. */
export type RegistryAddress =
  | { readonly kind: 'consul'; readonly url: string }
  | { readonly kind: 'etcd'; readonly hosts: readonly string[] }
  | { readonly kind: 'kubernetes'; readonly namespace: string }
  | { readonly kind: 'file'; readonly path: string };

/** @throws APP_REGISTRY_ADDRESS_INVALID */
export function parseRegistryAddress(text: string): RegistryAddress {
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/.exec(text.trim()) ?? [];
  if ((scheme === 'http' || scheme === 'https') && URL.canParse(text)) {
    return { kind: 'consul', url: text.trim().replace(/\/+$/, '') };
  }
  const authority = rest.replace(/^\/\//, '');
  if (scheme === 'etcd' || scheme === 'etcds') {
    const hosts = authority.split(',').map((host) => host.trim());
    if (hosts.every((host) => /^[\w.[\]:-]+:\d{1,5}$/.test(host))) {
      return { kind: 'etcd', hosts: hosts.map((host) => `${scheme === 'etcds' ? 'https' : 'http'}://${host}`) };
    }
  }
  if (scheme === 'kubernetes' && /^[a-z0-9-]{0,63}$/.test(authority)) {
    return { kind: 'kubernetes', namespace: authority || 'default' };
  }
  if (scheme === 'file' && authority !== '') return { kind: 'file', path: authority };
  throw appErrors.REGISTRY_ADDRESS_INVALID({ address: text });
}
