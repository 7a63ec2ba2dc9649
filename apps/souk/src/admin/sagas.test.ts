import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  SagaAction_Kind as Action,
  ActOnSagaRequestSchema,
  ActOnSagasRequestSchema,
  CountSagasRequestSchema,
  GetSagaRequestSchema,
  ListSagasRequestSchema,
  PreviewSagaActionsRequestSchema,
  Saga_Status as Status,
} from '@souk/contracts/admin/v1/sagas';
import { defineErrors, rootContext, silentLogger, virtualRuntime } from '@souk/kernel';
import type { SagaAction, SagaLine } from '@souk/saga';
import { createJobs } from './jobs.ts';
import { type SagasOf, sagaHandlers } from './sagas.ts';

const refusals = defineErrors('FAKE', {
  REFUSED: { code: 'failed_precondition', text: 'it has changed' },
});

const line = (id: string, startedAt: number, more: Partial<SagaLine> = {}): SagaLine => ({
  id,
  name: 'place-order',
  version: 1,
  status: 'STUCK',
  direction: 'forward',
  step: 'capture',
  seq: 7,
  error: { code: 'failed_precondition', reason: 'PAYMENTS_HOLD_EXPIRED' },
  key: undefined,
  tenant: undefined,
  parent: undefined,
  startedAt: new Date(startedAt),
  updatedAt: new Date(0),
  wakeAt: undefined,
  deadlineAt: undefined,
  owner: undefined,
  claims: 0,
  ...more,
});

/** Sagas in memory, newest first. */
function fake(sagas: readonly SagaLine[], acts: SagaAction[]): SagasOf['sagas'] {
  const sorted = sagas.toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
  return {
    list: async (_ctx, { status }, { limit, after }) => {
      const matching = sorted.filter((one) => status === undefined || one.status === status);
      const from = after === undefined ? 0 : matching.findIndex(({ id }) => id === after) + 1;
      return matching.slice(from, from + limit).map((item) => ({ item, cursor: item.id }));
    },
    count: async () => [{ name: 'place-order', version: 1, status: 'STUCK', count: sagas.length }],
    show: async (_ctx, id) => {
      const saga = sagas.find((one) => one.id === id);
      return saga && { saga, shape: 'reserve:compensatable confirm:pivot capture:retriable', records: [] };
    },
    act: async (_ctx, request) => {
      if (request.expectedSeq !== undefined && request.expectedSeq !== 7) throw refusals.REFUSED();
      acts.push(request);
      return line(request.id, 99);
    },
  };
}

function setUp() {
  const runtime = virtualRuntime();
  const acts: SagaAction[] = [];
  const orders = fake([line('o1', 10), line('o2', 30), line('o3', 50, { status: 'COMPLETED' }), line('both', 5)], acts);
  const returns = fake([line('r1', 20), line('r2', 40), line('both', 6)], acts);
  const jobs = createJobs({ runtime, log: silentLogger });
  const operators = () => [
    { service: 'orders', sagas: orders },
    { service: 'returns', sagas: returns },
  ];
  const ctx = rootContext({ runtime, caller: { userId: 'usr_1', roles: ['admin'] } });
  return { runtime, acts, jobs, ctx, handlers: sagaHandlers({ operators, jobs, runtime }) };
}

test('sagas of all services are one list, newest first, page by page', async () => {
  const { handlers, ctx } = setUp();
  const seen: (string | undefined)[] = [];
  let pageToken = '';
  do {
    const page = await handlers.listSagas(ctx, create(ListSagasRequestSchema, { pageSize: 2, pageToken }));
    seen.push(...(page.sagas ?? []).map(({ service, id }) => `${service} ${id}`));
    pageToken = page.nextPageToken ?? '';
  } while (pageToken !== '');
  assert.deepEqual(seen, [
    ...['orders o3', 'returns r2', 'orders o2', 'returns r1', 'orders o1'],
    ...['returns both', 'orders both'],
  ]);
  const { sagas } = await handlers.listSagas(ctx, create(ListSagasRequestSchema, { status: Status.COMPLETED }));
  assert.deepEqual(
    sagas?.map(({ id }) => id),
    ['o3'],
  );
  const { counts } = await handlers.countSagas(ctx, create(CountSagasRequestSchema, { service: 'returns' }));
  assert.partialDeepStrictEqual(counts, [{ service: 'returns', status: Status.STUCK, count: 3 }]);
});

test('a saga is found whoever has it; one that is nowhere, or in two places, is answered with where was looked', async () => {
  const { handlers, ctx } = setUp();
  const get = (id: string, service = '') => handlers.getSaga(ctx, create(GetSagaRequestSchema, { id, service }));
  assert.equal((await get('r1')).saga?.service, 'returns');
  await assert.rejects(get('nope'), { reason: 'APP_NO_SAGA', message: /nope in orders, returns/ });
  await assert.rejects(get('both'), { reason: 'APP_SAGA_TWICE', message: /orders, returns/ });
  assert.equal((await get('both', 'orders')).saga?.service, 'orders');
  await assert.rejects(get('r1', 'nobody'), { reason: 'APP_NO_SERVICE', message: /nobody.*orders, returns/ });
});

test('an action goes on with who wants it and why, and says what it does', async () => {
  const { handlers, ctx, acts } = setUp();
  const request = { id: 'o1', action: Action.GIVE_UP, reason: 'settled by hand', actionId: 'a1', expectedSeq: 7 };
  const answer = await handlers.actOnSaga(ctx, create(ActOnSagaRequestSchema, request));
  assert.deepEqual([answer.done, answer.effect], [true, 'o1 ends as it is, and what was done stays done']);
  assert.partialDeepStrictEqual(acts, [
    { id: 'o1', action: 'terminate', actor: 'usr_1', reason: 'settled by hand', actionId: 'a1', expectedSeq: 7 },
  ]);
  const dry = await handlers.actOnSaga(ctx, create(ActOnSagaRequestSchema, { ...request, dryRun: true }));
  assert.deepEqual([dry.done, acts[1]?.dryRun], [false, true]);
});

test('many are done as they were previewed, at a rate, once; one that changed meanwhile is refused and counted', async () => {
  const { handlers, ctx, acts, jobs, runtime } = setUp();
  const preview = await handlers.previewSagaActions(
    ctx,
    create(PreviewSagaActionsRequestSchema, { action: Action.RETRY, filter: { status: Status.STUCK } }),
  );
  assert.equal(preview.count, 6);
  assert.equal(preview.sample?.length, 5);
  assert.deepEqual(acts, []);
  const go = { confirmToken: preview.confirmToken as string, reason: 'it is back', ratePerSecond: 2 };
  const { id } = await handlers.actOnSagas(ctx, create(ActOnSagasRequestSchema, go));
  await runtime.advance(1100);
  assert.equal(acts.length, 3);
  await runtime.advance(5000);
  assert.partialDeepStrictEqual(jobs.get(id as string), { state: 'DONE', done: 6, total: 6 });
  assert.deepEqual(new Set(acts.map(({ expectedSeq }) => expectedSeq)), new Set([7]));
  await assert.rejects(handlers.actOnSagas(ctx, create(ActOnSagasRequestSchema, go)), { reason: 'APP_PREVIEW_GONE' });
});

test('a preview is worth nothing after ten minutes', async () => {
  const { handlers, ctx, runtime } = setUp();
  const request = create(PreviewSagaActionsRequestSchema, { action: Action.PAUSE, filter: { service: 'orders' } });
  const { confirmToken = '' } = await handlers.previewSagaActions(ctx, request);
  await runtime.advance(600_001);
  const late = handlers.actOnSagas(ctx, create(ActOnSagasRequestSchema, { confirmToken, reason: 'to see' }));
  await assert.rejects(late, { reason: 'APP_PREVIEW_GONE' });
});
