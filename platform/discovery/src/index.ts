export { discoveryErrors } from './errors.ts';
export { type Conditions, DRAINING, type Instance, type Registration, STARTING, UP } from './instance.ts';
export type { Outcome, Picked, Picker, PickRequest } from './picker.ts';
export type { Registered, Registry, RegistryHealth, ServiceView, Watch } from './registry.ts';
