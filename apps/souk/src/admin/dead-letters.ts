import { toJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import { type DeadLetterAdminService, DeadLetter_Status as Status } from '@souk/contracts/admin/v1/dead_letters';
import type { ServiceOperators } from '@souk/host';
import type { Context } from '@souk/kernel';
import type { DeadLetter, DeadLetterGroup } from '@souk/messaging';
import type { Handlers } from '@souk/rpc';
import { actorOf, pageSize } from '@souk/service';
import {
  consumerMessage,
  detailsMessage,
  groupMessage,
  letterMessage,
  parseLetterId,
  statusOf,
} from './dead-letter-messages.ts';
import { type ChosenLetters, chosenLetters, filterOf, preview, tokenOf } from './dead-letter-selection.ts';
import { jobMessage } from './job-handlers.ts';
import type { JobProgress, Jobs } from './jobs.ts';
import { mergedPage } from './merged-page.ts';
import { chosen, theOne } from './services.ts';

const RATE_PER_SECOND = 50;

interface Group {
  readonly service: string;
  readonly group: DeadLetterGroup;
}

/** Dead letters and consumers of all services. */
export function deadLetterHandlers(
  operators: () => readonly ServiceOperators[],
  jobs: Jobs,
): Handlers<typeof DeadLetterAdminService> {
  const consumerOf = async (ctx: Context, { consumer, hears }: ServiceOperators) =>
    consumerMessage(await consumer.state(ctx), hears, await consumer.blockedKeys(ctx));

  return {
    listDeadLetters: async (ctx, request) => {
      const filter = { ...filterOf(request), status: statusOf(request.status || Status.DEAD) };
      const sources = chosen(operators(), request.service).map(({ service, deadLetters }) => ({
        name: service,
        fetch: async (after: string | undefined, limit: number) => {
          const before = after === undefined ? undefined : BigInt(after);
          const letters = await deadLetters.list(ctx, filter, { limit, before });
          return letters.map((item) => ({ item, cursor: String(item.id) }));
        },
      }));
      const before = (a: DeadLetter, b: DeadLetter) => b.deadAt.getTime() - a.deadAt.getTime() || Number(b.id - a.id);
      const page = { pageToken: request.pageToken, size: pageSize(request.pageSize), before };
      const { items, nextPageToken } = await mergedPage('dead-letters', sources, page);
      return { deadLetters: items.map(letterMessage), nextPageToken };
    },

    listDeadLetterGroups: async (ctx, request) => {
      const sources = chosen(operators(), request.service).map(({ service, deadLetters }) => ({
        name: service,
        fetch: async (after: string | undefined, limit: number) => {
          const [count = '', fingerprint = ''] = after?.split(' ') ?? [];
          const last = after === undefined ? undefined : { count: Number(count), fingerprint };
          const groups = await deadLetters.groups(ctx, { limit, after: last });
          return groups.map((group) => ({ item: { service, group }, cursor: `${group.count} ${group.fingerprint}` }));
        },
      }));
      const before = (a: Group, b: Group) =>
        b.group.count - a.group.count ||
        (`${a.service} ${a.group.fingerprint}` < `${b.service} ${b.group.fingerprint}` ? -1 : 1);
      const page = { pageToken: request.pageToken, size: pageSize(request.pageSize), before };
      const { items, nextPageToken } = await mergedPage('dead-letter-groups', sources, page);
      return { groups: items.map(({ service, group }) => groupMessage(service, group)), nextPageToken };
    },

    getDeadLetter: async (ctx, request) => {
      const { service, id } = parseLetterId(request.id);
      return detailsMessage(await theOne(operators(), service).deadLetters.get(ctx, id));
    },

    redriveDeadLetters: async (ctx, { selection, reason, ratePerSecond, dryRun, confirmToken }) => {
      const letters = selection === undefined ? [] : chosenLetters(operators(), selection);
      const { sample, ...seen } = await preview(ctx, 'redrive', letters);
      if (dryRun) return { ...seen, sample: sample.map(letterMessage) };
      if (seen.count === 0) return { count: 0 };
      const actor = actorOf(ctx);
      const job = jobs.begin({
        kind: 'redrive dead letters',
        actor,
        reason,
        work: (jobCtx, progress) =>
          redrive(jobCtx, progress, {
            letters,
            total: seen.count,
            operator: actor,
            note: reason,
            ratePerSecond: ratePerSecond || RATE_PER_SECOND,
            confirmToken,
          }),
      });
      return { count: seen.count, job: jobMessage(job) };
    },

    editDeadLetter: async (ctx, { id: letter, event, reason }) => {
      const { service, id } = parseLetterId(letter);
      const { deadLetters } = theOne(operators(), service);
      const json = event === undefined ? null : toJson(ValueSchema, event);
      return { messageId: await deadLetters.redriveEdited(ctx, id, json, { operator: actorOf(ctx), note: reason }) };
    },

    discardDeadLetters: async (ctx, { selection, reason, dryRun, confirmToken }) => {
      const letters = selection === undefined ? [] : chosenLetters(operators(), selection);
      if (dryRun) {
        const { sample, ...seen } = await preview(ctx, 'discard', letters);
        return { ...seen, sample: sample.map(letterMessage) };
      }
      let count = 0;
      for (const { from, selection: some } of letters) {
        const note = { operator: actorOf(ctx), note: reason, confirm: tokenOf(confirmToken, from.service) };
        count += await from.deadLetters.discard(ctx, some, note);
      }
      return { count };
    },

    listConsumers: async (ctx, request) => {
      const hearing = operators().filter(({ hears }) => hears.length > 0);
      const sorted = hearing.toSorted((a, b) => (a.service < b.service ? -1 : 1));
      const source = {
        name: 'all',
        fetch: async (after = '', limit: number) =>
          sorted
            .filter(({ service }) => service > after)
            .slice(0, limit)
            .map((item) => ({ item, cursor: item.service })),
      };
      const page = { pageToken: request.pageToken, size: request.pageSize || 100, before: () => 0 };
      const { items, nextPageToken } = await mergedPage('consumers', [source], page);
      return { consumers: await Promise.all(items.map((one) => consumerOf(ctx, one))), nextPageToken };
    },

    pauseConsumer: async (ctx, { service, reason }) => {
      const one = theOne(operators(), service);
      await one.consumer.pause(ctx, { operator: actorOf(ctx), note: reason });
      return consumerOf(ctx, one);
    },

    resumeConsumer: async (ctx, { service, reason }) => {
      const one = theOne(operators(), service);
      await one.consumer.resume(ctx, { operator: actorOf(ctx), note: reason });
      return consumerOf(ctx, one);
    },
  };
}

interface RedriveWork {
  readonly letters: readonly ChosenLetters[];
  readonly total: number;
  readonly operator: string;
  readonly note: string;
  readonly ratePerSecond: number;
  readonly confirmToken: string;
}

/** One service after another, so that the rate holds for all of them. */
async function redrive(ctx: Context, progress: JobProgress, work: RedriveWork): Promise<void> {
  const { letters, total, operator, note, ratePerSecond, confirmToken } = work;
  progress.total(total);
  for (const { from, selection } of letters) {
    ctx.throwIfDone();
    let told = { redriven: 0, skipped: 0 };
    await from.deadLetters.redrive(ctx, selection, {
      operator,
      note,
      ratePerSecond,
      confirm: tokenOf(confirmToken, from.service),
      onProgress: (now) => {
        progress.done(now.redriven - told.redriven);
        for (let one = told.skipped; one < now.skipped; one++) progress.refused(GONE);
        told = now;
      },
    });
  }
}

const GONE = 'somebody has dealt with it, or it is gone';
