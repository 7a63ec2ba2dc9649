import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  GetProjectionRequestSchema,
  ListProjectionsRequestSchema,
  RebuildProjectionRequestSchema,
} from '@souk/contracts/admin/v1/projections';
import { rootContext, silentLogger, virtualRuntime } from '@souk/kernel';
import { createJobs } from './jobs.ts';
import { type ProjectionLine, type ProjectionPort, projectionHandlers } from './projections.ts';

const line = (name: string): ProjectionLine => ({
  ...{ name, version: 2, state: 'LIVE', position: '1:7', lagEvents: 3, lagSeconds: 1.5, error: undefined },
  updatedAt: new Date(5),
});
const port = (...names: string[]): ProjectionPort => ({
  list: async () => names.map(line),
  rebuild: async (_ctx, _name, { onProgress }) => {
    onProgress(0, 10);
    onProgress(6, 10);
    onProgress(10, 10);
  },
});

function setUp() {
  const runtime = virtualRuntime();
  const jobs = createJobs({ runtime, log: silentLogger });
  const operators = () => [
    { service: 'orders', projections: port('history', 'stats') },
    { service: 'loyalty', projections: port('stats') },
  ];
  const ctx = rootContext({ runtime, caller: { roles: ['admin'], service: 'operator' } });
  return { runtime, jobs, ctx, handlers: projectionHandlers(operators, jobs) };
}

test('projections of all services are one list, by service and name, page by page', async () => {
  const { handlers, ctx } = setUp();
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await handlers.listProjections(ctx, create(ListProjectionsRequestSchema, { pageSize: 2, pageToken }));
    seen.push(...(page.projections ?? []).map(({ service, name }) => `${service} ${name}`));
    pageToken = page.nextPageToken ?? '';
  } while (pageToken !== '');
  assert.deepEqual(seen, ['loyalty stats', 'orders history', 'orders stats']);
});

test('a projection that is nowhere is answered with those there are, one in two places with where', async () => {
  const { handlers, ctx } = setUp();
  const get = (name: string, service = '') =>
    handlers.getProjection(ctx, create(GetProjectionRequestSchema, { name, service }));
  assert.partialDeepStrictEqual(await get('history'), { service: 'orders', lagEvents: 3, definitionVersion: 2 });
  await assert.rejects(get('nope'), { reason: 'APP_NO_PROJECTION', message: /orders history, orders stats/ });
  await assert.rejects(get('stats'), { reason: 'APP_PROJECTION_TWICE', message: /loyalty, orders/ });
  assert.equal((await get('stats', 'loyalty')).service, 'loyalty');
});

test('a rebuild is a job that tells how far it is', async () => {
  const { handlers, ctx, jobs, runtime } = setUp();
  const request = create(RebuildProjectionRequestSchema, { name: 'history', reason: 'counted wrongly' });
  const { id } = await handlers.rebuildProjection(ctx, request);
  await runtime.advance(1);
  assert.partialDeepStrictEqual(jobs.get(id as string), { state: 'DONE', done: 10, total: 10, actor: 'operator' });
});
