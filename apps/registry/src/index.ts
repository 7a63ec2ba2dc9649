export { registryErrors } from './errors.ts';
export { createRegistryServer, type RegistryServer, type RegistryServerOptions } from './registry-server.ts';
export { type RegistrySettings, registrySettings } from './settings.ts';
export type {
  Catalog,
  CatalogChange,
  CheckEntry,
  HealthEntry,
  InstanceEntry,
  NodeEntry,
  SoukFacts,
  Status,
} from './state/catalog.ts';
