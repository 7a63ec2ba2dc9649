export type { Database, DatabaseServer, QueryResult, Sql, Transaction, TransactionOptions } from './database.ts';
export type { Migration } from './migration.ts';
