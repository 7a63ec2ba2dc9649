export { describeAddress, type PostgresAddress, parseAddress, toUrl } from './address.ts';
export { createDatabase, type DatabaseInit } from './database.ts';
export { postgresErrors } from './errors.ts';
export { type PoolOptions, poolDefaults } from './options.ts';
export { createPostgresServer, type PostgresServer, type PostgresServerInit, type PostgresSource } from './server.ts';
