// Copies a data folder that was made once instead of making one per test process: initdb is most of a server's first start.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createEmbeddedPostgres } from '@souk/adapter-embedded-postgres';
import { type Runtime, silentLogger } from '@souk/kernel';

const root = join(import.meta.dirname, '..', '..');
const sources = join(root, 'adapters', 'embedded-postgres');

/** Fills an empty folder with a server that was never started; leaves it empty when there is nowhere to keep the original. */
export async function fillFolder(folder: string, runtime: Runtime): Promise<void> {
  const original = join(root, 'node_modules', '.cache', 'souk-test', `postgres-${fingerprint()}`);
  try {
    if (!existsSync(original)) await makeOriginal(original, runtime);
    copy(original, folder);
  } catch {
    // The server makes its folder itself, only slower.
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o755 });
  }
}

async function makeOriginal(original: string, runtime: Runtime): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'souk-test-'));
  const half = `${original}.${process.pid}`;
  try {
    const server = createEmbeddedPostgres({ folder, runtime, log: silentLogger, settings: { fsync: false } });
    await server.start();
    await server.stop();
    mkdirSync(half, { recursive: true });
    copy(folder, half);
    if (existsSync(original)) return;
    renameSync(half, original);
  } finally {
    for (const path of [folder, half]) rmSync(path, { recursive: true, force: true });
  }
}

/** Keeps owners, which Node's own copy does not. */
const copy = (from: string, to: string): void => void execFileSync('cp', ['-a', `${from}/.`, to]);

/** Another account, another bundle or another way to make the folder: another original. */
function fingerprint(): string {
  const hash = createHash('sha256').update(`${process.getuid?.()}`);
  const files = readdirSync(join(sources, 'src')).filter((name) => !name.includes('.test.'));
  for (const file of ['../package.json', ...files]) hash.update(readFileSync(join(sources, 'src', file)));
  return hash.digest('hex').slice(0, 16);
}
