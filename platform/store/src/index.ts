export type { Database, DatabaseServer, QueryResult, Sql, Transaction, TransactionOptions } from './database.ts';
export { fromSqlState, idempotencyErrors, type SqlFailure, storeErrors } from './errors.ts';
export {
  findReplay,
  fingerprintOf,
  type IdempotentRequest,
  type IdempotentResponse,
  type IdempotentWork,
  idempotencyMigrations,
  idempotent,
  sweepIdempotency,
} from './idempotency.ts';
export { migrate } from './migrate.ts';
export type { Migration } from './migration.ts';
