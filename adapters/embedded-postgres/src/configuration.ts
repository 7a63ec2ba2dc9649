import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Account } from './account.ts';
import { ADMIN } from './cluster.ts';
import type { Folder } from './folder.ts';

type Value = string | number | boolean;

/** Settings by their PostgreSQL names. */
export interface ServerSettings {
  /** Off only where nothing need outlive the machine: in tests. */
  readonly fsync?: boolean;
  readonly [name: string]: Value | undefined;
}

/** Durable as PostgreSQL is by itself; sized for a laptop that runs a shop. */
const SETTINGS: ServerSettings = {
  max_connections: 150,
  shared_buffers: '128MB',
  fsync: true,
  full_page_writes: true,
  synchronous_commit: true,
  // Nothing replicates from here, and nobody archives.
  wal_level: 'minimal',
  max_wal_senders: 0,
  min_wal_size: '80MB',
  max_wal_size: '1GB',
  checkpoint_timeout: '15min',
  jit: false,
  max_parallel_workers_per_gather: 0,
  autovacuum: true,
  // Queue tables turn over quickly.
  autovacuum_naptime: '15s',
  // A session whose client died while it waits for a lock ends.
  client_connection_check_interval: '2s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  datestyle: 'iso, ymd',
  // Errors of statements reach their callers, and details quote rows: only what concerns the server is kept.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: false,
  logging_collector: false,
  unix_socket_permissions: '0700',
};

/** Writes what the server reads at its start. `port` is undefined when it listens on its socket only. */
export function writeConfiguration(
  folder: Folder,
  account: Account | undefined,
  port: number | undefined,
  own: ServerSettings,
): void {
  const place: ServerSettings =
    port === undefined
      ? { listen_addresses: '', unix_socket_directories: folder.socket ?? '' }
      : { listen_addresses: '127.0.0.1', unix_socket_directories: '', port };
  const lines = Object.entries({ ...SETTINGS, ...own, ...place }).map(([name, value]) =>
    value === undefined ? '' : `${name} = ${quote(value)}`,
  );
  write(folder, account, 'postgresql.conf', [
    `# Written anew at every start. Put your own settings into ${folder.overrides}`,
    ...lines,
    `include_if_exists = ${quote(folder.overrides)}`,
  ]);
  // A role reaches the database of its own name and no other.
  write(folder, account, 'pg_hba.conf', [
    `local all ${ADMIN} scram-sha-256`,
    'local sameuser all scram-sha-256',
    `host all ${ADMIN} 127.0.0.1/32 scram-sha-256`,
    'host sameuser all 127.0.0.1/32 scram-sha-256',
  ]);
}

function write(folder: Folder, account: Account | undefined, name: string, lines: readonly string[]): void {
  const file = join(folder.data, name);
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  if (account !== undefined) chownSync(file, account.uid, account.gid);
}

const quote = (value: string | number | boolean): string =>
  typeof value === 'boolean' ? (value ? 'on' : 'off') : `'${String(value).replaceAll("'", "''")}'`;
