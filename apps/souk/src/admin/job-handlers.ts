import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type JobAdminService, type JobSchema, Job_State as State } from '@souk/contracts/admin/v1/jobs';
import type { Handlers } from '@souk/rpc';
import { pageSize } from '@souk/service';
import type { JobState, Jobs } from './jobs.ts';
import { mergedPage } from './merged-page.ts';

export const jobMessage = (job: JobState): MessageInitShape<typeof JobSchema> => ({
  id: job.id,
  kind: job.kind,
  state: State[job.state],
  done: job.done,
  total: job.total,
  refused: [...job.refusals.values()].reduce((sum, count) => sum + count, 0),
  refusals: Object.fromEntries(job.refusals),
  error: job.error,
  actor: job.actor,
  reason: job.reason,
  startedAt: timestampFromMs(job.startedAt),
  ...(job.endedAt !== undefined && { endedAt: timestampFromMs(job.endedAt) }),
});

export const jobHandlers = (jobs: Jobs): Handlers<typeof JobAdminService> => ({
  listJobs: async (_ctx, request) => {
    const all = jobs.list();
    const source = {
      name: 'all',
      fetch: async (after: string | undefined, limit: number) => {
        const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
        return all.slice(from, from + limit).map((item) => ({ item, cursor: item.id }));
      },
    };
    const page = { pageToken: request.pageToken, size: pageSize(request.pageSize), before: () => 0 };
    const { items, nextPageToken } = await mergedPage('jobs', [source], page);
    return { jobs: items.map(jobMessage), nextPageToken };
  },
  getJob: async (_ctx, { id }) => jobMessage(jobs.get(id)),
  cancelJob: async (_ctx, { id }) => jobMessage(jobs.cancel(id)),
});
