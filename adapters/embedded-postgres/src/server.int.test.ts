import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, test } from 'node:test';
import { hasReason, rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import { fillFolder } from '../../../tests/support/cluster-cache.ts';
import { connectTo } from '../../../tests/support/database.ts';
import { bundledBinaries } from './binaries.ts';
import { createEmbeddedPostgres, type EmbeddedAddress, type EmbeddedPostgres } from './index.ts';
import { identify, waitUntil } from './process.ts';

const runtime = systemRuntime();
const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

let base: string;
const holders: ChildProcess[] = [];
const servers: EmbeddedPostgres[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'souk-embedded-'));
  chmodSync(base, 0o755);
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  for (const holder of holders.splice(0))
    if (holder.exitCode === null && holder.signalCode === null) await kill(holder, 'SIGTERM');
  rmSync(base, { recursive: true, force: true });
});

const embed = (folder: string, more: { binaries?: string } = {}): EmbeddedPostgres => {
  const server = createEmbeddedPostgres({
    folder,
    runtime,
    log: silentLogger,
    settings: { shared_buffers: '16MB' },
    ...more,
  });
  servers.push(server);
  return server;
};

/** A folder whose data was made before: for tests that are not about making it. */
async function made(): Promise<string> {
  const folder = join(base, 'pg');
  mkdirSync(folder);
  await fillFolder(folder, runtime);
  return folder;
}

async function query(address: EmbeddedAddress, text: string): Promise<unknown[]> {
  const db = connectTo(address, runtime);
  using ctx = rootContext({ runtime, timeoutMs: 20_000 });
  try {
    return (await db.at(ctx).query(text)).rows;
  } finally {
    await db.close();
  }
}

/** A souk in a process of its own. */
async function hold(folder: string, options: { uid?: number; binaries?: string } = {}) {
  const script = join(import.meta.dirname, '..', 'test', 'hold.ts');
  const account = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  const child = spawn(process.execPath, [script, folder, ...(options.binaries ? [options.binaries] : [])], {
    ...account,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  holders.push(child);
  const ended = once(child, 'exit').then(() => assert.fail('it ended instead of holding the folder'));
  const [line] = await Promise.race([once(child.stdout, 'data'), ended]);
  ended.catch(() => undefined);
  return { child, ...(JSON.parse(String(line)) as { pid: number; address: EmbeddedAddress }) };
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

test('data stays over a stop and a start, durably, sorted by code point', async () => {
  const server = embed(join(base, 'pg'));
  const address = await server.start();
  await query(address, 'CREATE TABLE kept AS SELECT 1 AS id');
  const [settings] = await query(
    address,
    `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
            current_setting('full_page_writes') AS pages, current_setting('data_checksums') AS checksums, datlocale AS locale
     FROM pg_database WHERE datname = 'template1'`,
  );
  assert.deepEqual(settings, { fsync: 'on', commit: 'on', pages: 'on', checksums: 'on', locale: 'PG_UNICODE_FAST' });
  await server.stop();
  assert.equal(server.pid, undefined);
  assert.deepEqual(await query(await server.start(), 'SELECT id FROM kept'), [{ id: 1 }]);
});

test('the server runs without privileges, in a group of its own, behind a private socket and a password', async () => {
  const folder = await made();
  const server = embed(folder);
  const address = await server.start();
  const stat = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  assert.equal(Number(stat[2]), server.pid);
  assert.notEqual(statSync(`/proc/${server.pid}`).uid, 0);
  assert.equal(statSync(address.host).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, 'secret')).mode & 0o777, 0o600);
  assert.deepEqual(await query(address, "SELECT current_setting('listen_addresses') AS listens"), [{ listens: '' }]);
  await assert.rejects(query({ ...address, password: 'wrong' }, 'SELECT 1'), (error) =>
    hasReason(error, 'STORE_ACCESS_DENIED'),
  );
});

test('neither rows nor statements get into the log of the server', async () => {
  const folder = await made();
  const server = embed(folder);
  const address = await server.start();
  await query(address, "CREATE TABLE person AS SELECT 'ann@example.org' AS email");
  await query(address, 'CREATE UNIQUE INDEX ON person (email)');
  await assert.rejects(query(address, "INSERT INTO person VALUES ('ann@example.org')"));
  await server.stop();
  assert.doesNotMatch(readFileSync(join(folder, 'postgres.log'), 'utf8'), /ann@/);
});

test('a second souk on a folder is refused and the first goes on', async () => {
  const folder = await made();
  const address = await embed(folder).start();
  await assert.rejects(embed(folder).start(), (error) => hasReason(error, 'EMBEDDED_POSTGRES_IN_USE'));
  await assert.rejects(hold(folder));
  await query(address, 'SELECT 1');
});

test('a server left behind by kill -9 is stopped, never doubled, and nothing committed is lost', async () => {
  const folder = await made();
  const left = await hold(folder);
  await query(left.address, 'CREATE TABLE kept AS SELECT 1 AS id');
  await kill(left.child, 'SIGKILL');
  assert.match(identify(left.pid)?.command ?? '', /postgres/);
  const server = embed(folder);
  const address = await server.start();
  assert.equal(identify(left.pid), undefined);
  assert.deepEqual(await query(address, 'SELECT id FROM kept'), [{ id: 1 }]);
});

test('a kill -9 of souk and server together is recovered from', async () => {
  const folder = await made();
  const left = await hold(folder);
  await query(left.address, 'CREATE TABLE kept AS SELECT 1 AS id');
  await kill(left.child, 'SIGKILL');
  process.kill(left.pid, 'SIGKILL');
  assert.ok(await waitUntil(runtime, 5000, () => identify(left.pid) === undefined));
  assert.deepEqual(await query(await embed(folder).start(), 'SELECT id FROM kept'), [{ id: 1 }]);
});

test('a pid file whose number another process has now does not keep the server from starting', async () => {
  const folder = await made();
  const server = embed(folder);
  await server.start();
  await server.stop();
  writeFileSync(join(folder, 'data', 'postmaster.pid'), `${process.pid}\n`);
  await query(await server.start(), 'SELECT 1');
});

test('an interrupted first start is begun anew', async () => {
  const folder = join(base, 'pg');
  mkdirSync(join(folder, 'data.new'), { recursive: true });
  writeFileSync(join(folder, 'data.new', 'PG_VERSION'), '18');
  await query(await embed(folder).start(), 'SELECT 1');
});

test('a server that ends by itself is started again', async () => {
  const folder = await made();
  const server = embed(folder);
  const address = await server.start();
  const { pid } = server;
  process.kill(pid as number, 'SIGKILL');
  assert.ok(
    await waitUntil(
      runtime,
      20_000,
      () => server.pid !== undefined && server.pid !== pid && existsSync(join(address.host, '.s.PGSQL.5432')),
    ),
  );
  await query(address, 'SELECT 1');
});

test('a folder of a newer PostgreSQL or souk is refused and left as it is', async () => {
  const folder = await made();
  const server = embed(folder);
  await server.start();
  await server.stop();
  const version = join(folder, 'data', 'PG_VERSION');
  const layout = join(folder, 'layout.json');
  const was = { version: readFileSync(version), layout: readFileSync(layout) };
  for (const [file, text, wanted] of [
    [version, '19\n', 'EMBEDDED_POSTGRES_DATA_NEWER'],
    [version, '17\n', 'EMBEDDED_POSTGRES_DATA_OLDER'],
    [layout, '{"layout":2}', 'EMBEDDED_POSTGRES_DATA_NEWER'],
  ] as const) {
    writeFileSync(file, text);
    const before = snapshot(folder);
    await assert.rejects(embed(folder).start(), (error) => hasReason(error, wanted));
    assert.deepEqual(snapshot(folder), before);
    writeFileSync(version, was.version);
    writeFileSync(layout, was.layout);
  }
  await server.start();
});

test('a folder whose path is too long for a socket gets a port on this machine only', async () => {
  const address = await embed(join(base, 'a'.repeat(60), 'b'.repeat(60))).start();
  assert.equal(address.host, '127.0.0.1');
  assert.notEqual(address.port, 5432);
  await query(address, 'SELECT 1');
});

test('your own settings are read last', async () => {
  const folder = join(base, 'pg');
  mkdirSync(folder);
  writeFileSync(join(folder, 'postgresql.conf'), "work_mem = '7MB'\n");
  assert.deepEqual(await query(await embed(folder).start(), 'SHOW work_mem'), [{ work_mem: '7MB' }]);
});

test('a folder that cannot be made is said to be so', async () => {
  writeFileSync(join(base, 'file'), '');
  await assert.rejects(embed(join(base, 'file', 'pg')).start(), (error) =>
    hasReason(error, 'EMBEDDED_POSTGRES_FOLDER_UNUSABLE'),
  );
});

test('without privileges, and with binaries that are read-only and lack their links, a copy is run', async () => {
  const binaries = copyBinaries(join(base, 'package'));
  if (isRoot) chownSync(base, nobody, nobody);
  else for (const part of ['', 'lib']) chmodSync(join(binaries, part), 0o555);
  const { pid, address } = await hold(join(base, 'pg'), isRoot ? { uid: nobody, binaries } : { binaries });
  await query(address, 'SELECT 1');
  assert.match(identify(pid)?.command ?? '', new RegExp(`^${base}/pg/postgresql-`));
  assert.equal(existsSync(join(binaries, 'lib', 'libpq.so.5')), false);
});

test('as root, a folder that only root can enter keeps its data outside of it', { skip: !isRoot }, async () => {
  const binaries = copyBinaries(join(base, 'private', 'package'));
  chmodSync(join(base, 'private'), 0o700);
  const folder = join(base, 'private', 'shop', '.souk');
  const server = embed(folder, { binaries });
  const address = await server.start();
  const { id } = JSON.parse(readFileSync(join(folder, 'layout.json'), 'utf8')) as { id: string };
  const outside = `/var/lib/souk/postgres-${id}`;
  try {
    assert.equal(server.describe(), `PostgreSQL 18 in ${outside}`);
    await query(address, 'CREATE TABLE kept AS SELECT 1 AS id');
    await server.stop();
    assert.deepEqual(await query(await server.start(), 'SELECT id FROM kept'), [{ id: 1 }]);
    await server.stop();
  } finally {
    rmSync(outside, { recursive: true });
  }
});

function copyBinaries(folder: string): string {
  const native = join(folder, 'native');
  cpSync(bundledBinaries(), native, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('.a'),
  });
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
  for (const { target } of links) rmSync(join(folder, target), { force: true });
  return native;
}

const snapshot = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${statSync(path).mtimeMs} ${statSync(path).size}`)
    .sort();
