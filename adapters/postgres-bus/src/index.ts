export { postgresBusMigrations } from './migrations.ts';
export type { PostgresBusOptions } from './options.ts';
export { createPostgresBus } from './postgres-bus.ts';
