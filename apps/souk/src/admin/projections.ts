import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type ProjectionAdminService,
  type ProjectionSchema,
  Projection_State as State,
} from '@souk/contracts/admin/v1/projections';
import type { Context } from '@souk/kernel';
import type { Handlers } from '@souk/rpc';
import { actorOf } from '@souk/service';
import { appErrors } from '../errors.ts';
import { jobMessage } from './job-handlers.ts';
import type { Jobs } from './jobs.ts';
import { mergedPage } from './merged-page.ts';
import { dateField } from './saga-values.ts';
import { chosen } from './services.ts';

/** A read model, as it stands. */
export interface ProjectionLine {
  readonly name: string;
  readonly version: number;
  readonly state: 'LIVE' | 'REBUILDING' | 'FAILED' | 'STOPPED';
  readonly position: string;
  readonly lagEvents: number;
  readonly lagSeconds: number;
  readonly error: string | undefined;
  readonly updatedAt: Date | undefined;
}

/** What this door needs of the projections of one service. */
export interface ProjectionPort {
  list(ctx: Context): Promise<readonly ProjectionLine[]>;
  /** Resolves when the new one has caught up. */
  rebuild(
    ctx: Context,
    name: string,
    options: {
      readonly actor: string;
      readonly reason: string;
      readonly onProgress: (done: number, total: number) => void;
    },
  ): Promise<void>;
}

/** The projections of one service. */
export interface ProjectionsOf {
  readonly service: string;
  readonly projections: ProjectionPort;
}

interface Found {
  readonly one: ProjectionsOf;
  readonly line: ProjectionLine;
}

const PAGE = 100;

/** Read models of all services. */
export function projectionHandlers(
  operators: () => readonly ProjectionsOf[],
  jobs: Jobs,
): Handlers<typeof ProjectionAdminService> {
  const all = async (ctx: Context, service: string): Promise<readonly Found[]> => {
    const found = await Promise.all(
      chosen(operators(), service).map(async (one) => (await one.projections.list(ctx)).map((line) => ({ one, line }))),
    );
    return found.flat().sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  };

  /** @throws APP_NO_PROJECTION, APP_PROJECTION_TWICE, APP_NO_SERVICE */
  const find = async (ctx: Context, name: string, service: string): Promise<Found> => {
    const known = await all(ctx, service);
    const found = known.filter(({ line }) => line.name === name);
    if (found.length > 1) {
      throw appErrors.PROJECTION_TWICE({ name, services: found.map(({ one }) => one.service).join(', ') });
    }
    if (found[0] === undefined) {
      throw appErrors.NO_PROJECTION({ name, projections: known.map(nameOf).join(', ') || 'none' });
    }
    return found[0];
  };

  return {
    listProjections: async (ctx, request) => {
      const known = await all(ctx, request.service);
      const source = {
        name: 'all',
        fetch: async (after = '', limit: number) =>
          known
            .filter((one) => nameOf(one) > after)
            .slice(0, limit)
            .map((item) => ({ item, cursor: nameOf(item) })),
      };
      const page = { pageToken: request.pageToken, size: request.pageSize || PAGE, before: () => 0 };
      const { items, nextPageToken } = await mergedPage('projections', [source], page);
      return { projections: items.map(projectionMessage), nextPageToken };
    },

    getProjection: async (ctx, { name, service }) => projectionMessage(await find(ctx, name, service)),

    rebuildProjection: async (ctx, { name, service, reason }) => {
      const { one, line } = await find(ctx, name, service);
      const actor = actorOf(ctx);
      const job = jobs.begin({
        kind: `rebuild ${one.service} ${line.name}`,
        actor,
        reason,
        work: async (jobCtx, progress) => {
          let told = 0;
          await one.projections.rebuild(jobCtx, line.name, {
            actor,
            reason,
            onProgress: (done, total) => {
              progress.total(total);
              progress.done(done - told);
              told = done;
            },
          });
        },
      });
      return jobMessage(job);
    },
  };
}

/** `orders order-history`, which also sorts them. */
const nameOf = ({ one, line }: Found): string => `${one.service} ${line.name}`;

const projectionMessage = ({ one, line }: Found): MessageInitShape<typeof ProjectionSchema> => ({
  service: one.service,
  name: line.name,
  definitionVersion: line.version,
  state: State[line.state],
  position: line.position,
  lagEvents: line.lagEvents,
  lagSeconds: line.lagSeconds,
  error: line.error ?? '',
  ...dateField('updatedAt', line.updatedAt),
});
