export type { ServerSettings } from './configuration.ts';
export { embeddedErrors } from './errors.ts';
export {
  createEmbeddedPostgres,
  type EmbeddedAddress,
  type EmbeddedPostgres,
  type EmbeddedPostgresInit,
} from './server.ts';
