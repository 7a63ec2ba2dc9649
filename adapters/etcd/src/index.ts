export { etcdErrors } from './errors.ts';
export { createEtcdRegistry } from './etcd-registry.ts';
export type { EtcdRegistryOptions } from './options.ts';
