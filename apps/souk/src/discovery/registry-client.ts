import { createConsulRegistry } from '@souk/adapter-consul';
import { createFileRegistry, type Registry } from '@souk/discovery';
import type { Logger, Runtime } from '@souk/kernel';
import { drivers } from '../drivers.ts';
import { parseRegistryAddress } from './registry-address.ts';

/** The client of the registry that an address names. @throws APP_REGISTRY_ADDRESS_INVALID */
export function createRegistryClient(address: string, runtime: Runtime, log: Logger): Registry {
  const parsed = parseRegistryAddress(address);
  switch (parsed.kind) {
    case 'consul':
      return createConsulRegistry({ url: parsed.url, runtime, log });
    case 'etcd':
      return drivers.etcd().createEtcdRegistry({ hosts: parsed.hosts, runtime, log });
    case 'kubernetes': {
      const { createKubernetesRegistry, inCluster } = drivers.kubernetes();
      return createKubernetesRegistry({ ...inCluster(), namespace: parsed.namespace, runtime, log });
    }
    case 'file':
      return createFileRegistry({ path: parsed.path, runtime, log });
  }
}
