import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Logger, rootContext, silentLogger } from '@souk/kernel';
import type { Database } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { parseAddress } from './address.ts';
import { createDatabase } from './database.ts';

const said: { kind: string; name: string; data: unknown }[] = [];
const note = (kind: string, name: string) => (data: unknown, labels: unknown) =>
  void said.push({ kind, name, data: labels ?? data });
const log: Logger = {
  ...silentLogger,
  warn: (name, data) => void said.push({ kind: 'log', name, data }),
  with: () => log,
};
const collectors: (() => void)[] = [];
const gauge = (kind: string) => (name: string) => ({
  set: (value: number, labels: unknown) => void said.push({ kind, name, data: { value, labels } }),
});
const telemetry = {
  service: 'shop',
  log,
  tracer: {
    start: (_: unknown, name: string, options: { attributes: unknown }) => {
      said.push({ kind: 'span', name, data: options.attributes });
      return { end: () => void said.push({ kind: 'end', name, data: undefined }), fail: note('fail', name) };
    },
  },
  metrics: {
    histogram: ({ name }: { name: string }) => ({ observe: note('histogram', name) }),
    gauge: ({ name }: { name: string }) => gauge('gauge')(name),
    onCollect: (run: () => void) => void collectors.push(run),
  },
} as unknown as Telemetry;

let shop: TestDatabase;
let db: Database;
before(async () => {
  shop = await testDatabase('observe');
  db = createDatabase({
    service: 'shop',
    address: parseAddress(shop.url),
    runtime: shop.runtime,
    log,
    telemetry,
    options: { slowMs: 40 },
  });
});
after(async () => {
  await db.close();
  await shop.close();
});

const run = async (sampled: boolean, text: string, values: readonly unknown[]): Promise<void> => {
  said.length = 0;
  using root = rootContext({ runtime: shop.runtime, log });
  const ctx = root.with({ trace: { ...root.trace, sampled } });
  await db
    .at(ctx)
    .query(text, values)
    .catch(() => undefined);
};

test('a statement is counted by its name, and traced without its values when the trace is sampled', async () => {
  await run(true, '/* find-user */ SELECT $1::text AS email', ['ann@example.org']);
  assert.deepEqual(
    said.map(({ kind, name }) => `${kind} ${name}`),
    ['span postgresql find-user', 'histogram db_client_operation_duration_seconds', 'end postgresql find-user'],
  );
  assert.deepEqual(said[1]?.data, { operation: 'find-user' });
  assert.doesNotMatch(JSON.stringify(said), /ann@/);
});

test('a trace that is not sampled has no spans', async () => {
  await run(false, 'SELECT 1', []);
  assert.deepEqual(
    said.map(({ kind, data }) => [kind, data]),
    [['histogram', { operation: 'SELECT' }]],
  );
});

test('a slow statement is logged without its values', async () => {
  await run(false, 'SELECT pg_sleep($1), $2::text', [0.06, 'ann@example.org']);
  const line = said.find(({ kind }) => kind === 'log');
  assert.match(JSON.stringify(line), /slow query.*pg_sleep\(\$1\)/);
  assert.doesNotMatch(JSON.stringify(said), /ann@/);
});

test('a statement that fails fails its span', async () => {
  await run(true, 'SELECT 1 / $1::int', [0]);
  assert.ok(said.some(({ kind }) => kind === 'fail'));
});

test('the pool tells what it holds when it is asked', () => {
  said.length = 0;
  for (const collect of collectors) collect();
  assert.deepEqual(
    said.map(({ name, data }) => [name, (data as { labels: unknown }).labels]),
    [
      ['db_client_connections', { state: 'idle' }],
      ['db_client_connections', { state: 'used' }],
      ['db_client_connections_pending', {}],
    ],
  );
});
