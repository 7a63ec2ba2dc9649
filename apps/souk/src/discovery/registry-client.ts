import { readFileSync } from 'node:fs';
import { createConsulRegistry } from '@souk/adapter-consul';
import { createFileRegistry, type Registry } from '@souk/discovery';
import type { Logger, Runtime } from '@souk/kernel';
import { drivers } from '../drivers.ts';
import { appErrors } from '../errors.ts';
import type { ShopSettings } from '../settings.ts';
import { parseRegistryAddress } from './registry-address.ts';

/**
 * The client of the registry that the settings name.
 * @throws APP_REGISTRY_ADDRESS_INVALID, APP_REGISTRY_CREDENTIALS_INVALID
 */
export function createRegistryClient(
  { registry, token, ca, cert, key }: ShopSettings['discovery'],
  runtime: Runtime,
  log: Logger,
): Registry {
  const parsed = parseRegistryAddress(registry);
  const own = {
    ...(cert !== undefined && { cert: read('cert', cert) }),
    ...(key !== undefined && { key: read('key', key) }),
  };
  const tls = ca === undefined ? own : { ...own, ca: read('ca', ca) };
  switch (parsed.kind) {
    case 'consul':
      return createConsulRegistry({ url: parsed.url, runtime, log, tls, ...(token !== undefined && { token }) });
    case 'etcd': {
      if (!('ca' in tls) && Object.keys(own).length > 0) {
        const why = 'etcd wants discovery.ca beside discovery.cert and discovery.key';
        throw appErrors.REGISTRY_CREDENTIALS_INVALID({ setting: 'discovery.ca', why });
      }
      return drivers.etcd().createEtcdRegistry({
        ...{ hosts: parsed.hosts, runtime, log },
        ...(token !== undefined && { auth: userOf(token) }),
        ...('ca' in tls && { tls }),
      });
    }
    case 'kubernetes': {
      const { createKubernetesRegistry, inCluster } = drivers.kubernetes();
      return createKubernetesRegistry({ ...inCluster(), namespace: parsed.namespace, runtime, log });
    }
    case 'file':
      return createFileRegistry({ path: parsed.path, runtime, log });
  }
}

/** A password may hold colons, a name none. */
function userOf(token: string): { readonly username: string; readonly password: string } {
  const at = token.indexOf(':');
  if (at < 1) {
    throw appErrors.REGISTRY_CREDENTIALS_INVALID({ setting: 'discovery.token', why: 'etcd wants user:password' });
  }
  return { username: token.slice(0, at), password: token.slice(at + 1) };
}

function read(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = `${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`;
    throw appErrors.REGISTRY_CREDENTIALS_INVALID({ setting: `discovery.${name}`, why }, { cause });
  }
}
