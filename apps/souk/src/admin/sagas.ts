import { toJson } from '@bufbuild/protobuf';
import { type Value, ValueSchema } from '@bufbuild/protobuf/wkt';
import { type ListSagasRequest, type SagaAdminService, Saga_Status as Status } from '@souk/contracts/admin/v1/sagas';
import { type Context, fromUnknown, type Runtime } from '@souk/kernel';
import type { Handlers } from '@souk/rpc';
import type { Json, SagaAction, SagaAdmin, SagaFilter, SagaLine } from '@souk/saga';
import { actorOf, pageSize } from '@souk/service';
import { appErrors } from '../errors.ts';
import { jobMessage } from './job-handlers.ts';
import type { JobProgress, Jobs } from './jobs.ts';
import { mergedPage } from './merged-page.ts';
import { actionName, detailsMessage, sagaMessage, statusName } from './saga-messages.ts';
import { createSagaPreviews, type SagaPreview } from './saga-previews.ts';
import { chosen, durationMs, given } from './services.ts';

/** The sagas of one service. */
export interface SagasOf {
  readonly service: string;
  readonly sagas: Pick<SagaAdmin, 'list' | 'count' | 'show' | 'act'>;
}

interface Found {
  readonly service: string;
  readonly saga: SagaLine;
}

const RATE_PER_SECOND = 50;
/** Sagas of one preview at most. */
const MOST_SAGAS = 10_000;
const PREVIEW_PAGE = 500;
const SAMPLE = 5;

/** Sagas of all services. */
export function sagaHandlers(init: {
  readonly operators: () => readonly SagasOf[];
  readonly jobs: Jobs;
  readonly runtime: Runtime;
}): Handlers<typeof SagaAdminService> {
  const { operators, jobs, runtime } = init;
  const previews = createSagaPreviews(runtime);

  const page = (ctx: Context, request: ListSagasRequest, size: number, pageToken: string) => {
    const sources = chosen(operators(), request.service).map(({ service, sagas }) => ({
      name: service,
      fetch: async (after: string | undefined, limit: number) =>
        (await sagas.list(ctx, choiceOf(request), { limit, after })).map(({ item, cursor }) => ({
          item: { service, saga: item },
          cursor,
        })),
    }));
    return mergedPage('sagas', sources, { pageToken, size, before: newestFirst });
  };

  /** @throws APP_NO_SAGA, APP_SAGA_TWICE, APP_NO_SERVICE */
  const find = async (ctx: Context, id: string, service: string) => {
    const asked = chosen(operators(), service);
    const answers = await Promise.all(asked.map(async (one) => ({ one, shown: await one.sagas.show(ctx, id) })));
    const found = answers.flatMap(({ one, shown }) => (shown === undefined ? [] : [{ ...one, shown }]));
    const names = (some: readonly SagasOf[]): string => some.map((one) => one.service).join(', ');
    if (found.length > 1) throw appErrors.SAGA_TWICE({ id, services: names(found) });
    if (found[0] === undefined) throw appErrors.NO_SAGA({ id, services: names(asked) });
    return found[0];
  };

  return {
    listSagas: async (ctx, request) => {
      const { items, nextPageToken } = await page(ctx, request, pageSize(request.pageSize), request.pageToken);
      return { sagas: items.map(({ service, saga }) => sagaMessage(service, saga)), nextPageToken };
    },

    countSagas: async (ctx, request) => {
      const counts = await Promise.all(
        chosen(operators(), request.service).map(async ({ service, sagas }) =>
          (await sagas.count(ctx)).map(({ name, version, status, count }) => ({
            service,
            name,
            definitionVersion: version,
            status: Status[status],
            count,
          })),
        ),
      );
      return { counts: counts.flat() };
    },

    getSaga: async (ctx, { id, service }) => {
      const found = await find(ctx, id, service);
      return detailsMessage(found.service, found.shown);
    },

    actOnSaga: async (ctx, request) => {
      const { service, sagas } = await find(ctx, request.id, request.service);
      const act: SagaAction = {
        id: request.id,
        action: actionName(request.action),
        actor: actorOf(ctx),
        reason: request.reason,
        step: given(request.step),
        output: jsonOf(request.output),
        input: jsonOf(request.input),
        actionId: given(request.actionId),
        expectedSeq: request.expectedSeq || undefined,
        dryRun: request.dryRun,
        force: request.force,
      };
      const saga = await sagas.act(ctx, act);
      return { saga: sagaMessage(service, saga), effect: effectOf(act, saga), done: !request.dryRun };
    },

    previewSagaActions: async (ctx, { action, filter }) => {
      const found: Found[] = [];
      let token = '';
      do {
        if (filter === undefined) break;
        const { items, nextPageToken } = await page(ctx, filter, PREVIEW_PAGE, token);
        found.push(...items);
        token = nextPageToken;
        if (found.length > MOST_SAGAS) throw appErrors.TOO_MANY_SAGAS({ most: MOST_SAGAS });
      } while (token !== '');
      const sagas = found.map(({ service, saga: { id, seq } }) => ({ service, id, seq }));
      return {
        count: found.length,
        sample: found.slice(0, SAMPLE).map(({ service, saga }) => sagaMessage(service, saga)),
        confirmToken: previews.keep({ action: actionName(action), sagas }),
      };
    },

    actOnSagas: async (ctx, { confirmToken, reason, ratePerSecond, force }) => {
      const preview = previews.take(confirmToken);
      const actor = actorOf(ctx);
      const rate = ratePerSecond || RATE_PER_SECOND;
      const job = jobs.begin({
        kind: `${preview.action} sagas`,
        actor,
        reason,
        work: (jobCtx, progress) => actOnAll(jobCtx, progress, preview, { actor, reason, rate, force }),
      });
      return jobMessage(job);
    },
  };

  async function actOnAll(
    ctx: Context,
    progress: JobProgress,
    { action, sagas }: SagaPreview,
    how: { readonly actor: string; readonly reason: string; readonly rate: number; readonly force: boolean },
  ): Promise<void> {
    progress.total(sagas.length);
    const byService = new Map(operators().map((one) => [one.service, one.sagas]));
    const startMs = runtime.clock.monotonicMs();
    for (const [index, { service, id, seq }] of sagas.entries()) {
      const waitMs = startMs + (index * 1000) / how.rate - runtime.clock.monotonicMs();
      if (waitMs > 0) await runtime.timers.sleep(waitMs, ctx.signal);
      ctx.throwIfDone();
      const { actor, reason, force } = how;
      const nothing = { step: undefined, output: undefined, input: undefined, actionId: undefined };
      try {
        const act = { id, action, actor, reason, expectedSeq: seq, dryRun: false, force, ...nothing };
        await byService.get(service)?.act(ctx, act);
        progress.done(1);
      } catch (thrown) {
        const error = fromUnknown(thrown);
        if (error.retry.kind !== 'never') throw error;
        progress.refused(`${error.reason}: ${error.message}`);
      }
    }
  }
}

const newestFirst = (a: Found, b: Found): number =>
  b.saga.startedAt.getTime() - a.saga.startedAt.getTime() ||
  (`${a.service} ${a.saga.id}` < `${b.service} ${b.saga.id}` ? 1 : -1);

const choiceOf = (request: ListSagasRequest): SagaFilter & { readonly olderThanMs: number | undefined } => ({
  status: statusName(request.status),
  name: given(request.name),
  version: request.definitionVersion || undefined,
  step: given(request.step),
  error: given(request.errorCode),
  key: given(request.key),
  tenant: given(request.tenant),
  olderThanMs: durationMs(request.olderThan),
});

const jsonOf = (value: Value | undefined): Json | undefined =>
  value === undefined ? undefined : (toJson(ValueSchema, value) as Json);

function effectOf({ action, id, step, force }: SagaAction, saga: SagaLine): string {
  const at = step ?? saga.step ?? 'what it is at';
  const effects: Readonly<Record<SagaAction['action'], string>> = {
    retry: `${id} tries ${at} again`,
    skip: `${id} takes ${at} as ${saga.direction === 'backward' ? 'needing no undo' : 'done'} and goes on`,
    edit: `${id} tries ${at} with another input, under a new key`,
    compensate: `${id} turns back and takes back what was done${force ? ', though it may have passed its point of no return' : ''}`,
    cancel: `${id} turns back and takes back what was done`,
    terminate: `${id} ends as it is, and what was done stays done`,
    pause: `${id} begins no further step until it is resumed`,
    resume: `${id} goes on`,
  };
  return effects[action];
}
