import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const SCHEMA = `
  create table if not exists payment_method (
    id text primary key, token text not null, created_at integer not null
  ) strict, without rowid;

  create table if not exists charge (
    id text primary key,
    idempotency_key text not null unique,
    status text not null check (status in ('authorized', 'captured', 'voided', 'failed')),
    amount integer not null check (amount > 0),
    captured integer not null default 0 check (captured between 0 and amount),
    refunded integer not null default 0 check (refunded between 0 and captured),
    currency text not null,
    token text not null,
    reference text not null,
    failure_code text not null,
    created_at integer not null
  ) strict, without rowid;

  create table if not exists refund (
    id text primary key,
    charge_id text not null references charge (id),
    idempotency_key text not null unique,
    amount integer not null check (amount > 0),
    status text not null check (status in ('succeeded', 'failed'))
  ) strict, without rowid;
  create index if not exists refund_charge on refund (charge_id, id);

  create table if not exists ledger (
    sequence integer primary key autoincrement,
    charge_id text not null references charge (id),
    kind text not null,
    amount integer not null,
    at integer not null
  ) strict;
  create index if not exists ledger_at on ledger (at);

  create table if not exists idempotency (
    key text primary key, fingerprint text not null, status integer not null, body text not null
  ) strict, without rowid;

  create table if not exists flake (key text primary key, failures integer not null) strict, without rowid;

  create table if not exists webhook (
    sequence integer primary key autoincrement,
    body text not null,
    created_at integer not null,
    due_at integer not null,
    attempts integer not null default 0
  ) strict;
  create index if not exists webhook_due on webhook (due_at);
`;

/**
 * Opens the provider's file, making it when it is missing. A write-ahead log lets a transaction survive the end of the process without
 * an fsync of its own.
 */
export function openDatabase(file: string, durability: 'normal' | 'full'): DatabaseSync {
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
  const db = new DatabaseSync(file, { timeout: 5000 });
  db.exec(`pragma journal_mode = wal; pragma synchronous = ${durability}; pragma foreign_keys = on;`);
  db.exec(SCHEMA);
  return db;
}
