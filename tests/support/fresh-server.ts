// A second PostgreSQL, made from nothing: another cluster than the one that tests of this process share, for what moves between two.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedPostgres } from '@souk/adapter-embedded-postgres';
import { createPostgresServer } from '@souk/adapter-postgres';
import { type Runtime, silentLogger } from '@souk/kernel';
import type { Database } from '@souk/store';

export interface FreshServer {
  open(service: string): Promise<Database>;
  /** Close the databases before. */
  stop(): Promise<void>;
}

/** Takes half a second: it is initialised, not copied. */
export async function freshServer(runtime: Runtime): Promise<FreshServer> {
  const folder = await mkdtemp(join(tmpdir(), 'souk-fresh-'));
  const settings = { fsync: false, shared_buffers: '16MB', autovacuum: false };
  const embedded = createEmbeddedPostgres({ folder, runtime, log: silentLogger, settings });
  const server = createPostgresServer({ runtime, log: silentLogger, server: embedded });
  await server.start();
  return {
    open: (service) => server.open(service),
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
