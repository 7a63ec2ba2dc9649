export { type BalancingPicker, createPicker, type PickerInit } from './balancing/balancing-picker.ts';
export { parseBalancing } from './balancing/parse-balancing.ts';
export {
  ALGORITHMS,
  type AlgorithmName,
  type BalancingSettings,
  type KeySettings,
  type KeySource,
} from './balancing/settings.ts';
export { type KeySources, stickyKey } from './balancing/sticky-key.ts';
export type { InstanceView, PickerView, Stage } from './balancing/view.ts';
export { createDirectory, type Directory, type DirectoryHealth, type DirectoryOptions } from './directory.ts';
export { discoveryErrors } from './errors.ts';
export { createFileRegistry, type FileRegistryOptions } from './file-registry.ts';
export { type Conditions, DRAINING, type Instance, type Registration, STARTING, UP } from './instance.ts';
export { sameInstances, sorted, toInstance } from './instance-set.ts';
export type { MassExpiryOptions } from './mass-expiry-guard.ts';
export { createMemoryHub, type MemoryHub, type MemoryHubOptions } from './memory-hub.ts';
export { createMemoryRegistry, type MemoryRegistryOptions } from './memory-registry.ts';
export type { Outcome, Picked, Picker, PickRequest } from './picker.ts';
export { checkConditions, checkRegistration } from './registration-rules.ts';
export type { Registered, Registry, RegistryHealth, ServiceView, Watch } from './registry.ts';
export { createServiceWatches, type ServiceWatches, type ServiceWatchesInit } from './service-watches.ts';
export type { CacheFiles } from './view-cache.ts';
