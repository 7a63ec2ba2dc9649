export { createConsulRegistry } from './consul-registry.ts';
export { consulErrors } from './errors.ts';
export type { ConsulRegistryOptions, ConsulTls } from './options.ts';
