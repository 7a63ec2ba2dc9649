export { kubernetesErrors } from './errors.ts';
export { inCluster } from './in-cluster.ts';
export { createKubernetesRegistry } from './kubernetes-registry.ts';
export type { AddressType, KubernetesRegistryOptions } from './options.ts';
