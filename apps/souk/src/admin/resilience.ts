import { type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { type Value, ValueSchema } from '@bufbuild/protobuf/wkt';
import type { PolicyDetailsSchema, ResilienceAdminService } from '@souk/contracts/admin/v1/resilience';
import { type Context, hasReason, type Runtime } from '@souk/kernel';
import { type BreakerSharing, fits, type PolicyChange, type PolicyRegistry, type PolicyView } from '@souk/resilience';
import type { Handlers } from '@souk/rpc';
import { actorOf } from '@souk/service';
import { appErrors } from '../errors.ts';
import { mergedPage } from './merged-page.ts';
import { type ChangeNote, changeMessage, ownerOf, policyMessage, reportMessage, structOf } from './policy-messages.ts';
import { troublesOf } from './policy-troubles.ts';
import { durationMs } from './services.ts';

const PAGE = 100;
/** How long instances that were away may come back and hear that an isolation is over. */
const RELEASE_MS = 24 * 3_600_000;
const ORDER_ATTEMPTS = 5;
/** Within that time instances hear of each other's orders, when nothing is wrong. */
const HEARD_MS = 100;

type Details = MessageInitShape<typeof PolicyDetailsSchema>;

/** Policies of this process, and orders to the breakers of all instances where these are shared. */
export function resilienceHandlers(init: {
  readonly policies: PolicyRegistry;
  /** Undefined where breakers are not shared. */
  readonly sharing: BreakerSharing | undefined;
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
}): Handlers<typeof ResilienceAdminService> {
  const { policies, sharing, runtime } = init;
  const { clock, timers } = runtime;
  const notes = new Map<string, ChangeNote>();

  const changes = (fit: (pattern: string) => boolean = () => true) =>
    Object.entries(policies.changes())
      .filter(([pattern]) => fit(pattern))
      .sort(([one], [other]) => one.length - other.length)
      .map(([pattern, change]) => changeMessage(pattern, change, notes.get(pattern)));

  const isShared = (name: string): boolean => sharing?.keys().includes(name) ?? false;

  /** @throws RESILIENCE_UNKNOWN_POLICY */
  const details = (name: string): Details => {
    const { effective } = policies.find(name);
    const view = policies.list().find((one) => one.name === name) as PolicyView;
    const shared = sharing !== undefined && isShared(name) ? sharing.view(name) : undefined;
    return {
      policy: policyMessage(view, clock),
      effective: structOf(effective),
      changes: changes((pattern) => fits(pattern, name)),
      ...(shared && {
        reports: shared.reports.map(reportMessage),
        acknowledged: [...shared.acknowledged],
        missing: [...shared.missing],
      }),
    };
  };

  /** Where each instance is told, all are told the same at the same moment: one of them gives the order, the others find it given. */
  const order = async (
    board: BreakerSharing,
    name: string,
    action: 'isolate' | 'release',
    by: { readonly owner: string; readonly reason: string; readonly ttlMs: number },
  ): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      const before = board.view(name).command?.version ?? 0;
      try {
        await board.command({ key: name, action, ...by }, before);
        return;
      } catch (error) {
        if (attempt === ORDER_ATTEMPTS || !hasReason(error, 'RESILIENCE_BAD_OPTION')) throw error;
        await timers.sleep(HEARD_MS);
        const { command } = board.view(name);
        if ((command?.version ?? 0) > before && command?.action === action && command.owner === by.owner) return;
      }
    }
  };

  /** The order that holds for all instances now. */
  const orderOf = (name: string) => {
    const command = sharing === undefined || !isShared(name) ? undefined : sharing.view(name).command;
    const holds = command !== undefined && command.action !== 'release' && clock.monotonicMs() < command.untilMs;
    return holds ? command : undefined;
  };

  const releaseAll = async (ctx: Context, name: string, reason: string): Promise<void> => {
    if (sharing !== undefined)
      await order(sharing, name, 'release', { owner: actorOf(ctx), reason, ttlMs: RELEASE_MS });
  };

  return {
    listPolicies: async (_ctx, request) => {
      const { pattern, kind, troubled } = request;
      const wanted = policies
        .list()
        .filter((one) => pattern === '' || fits(pattern, one.name))
        .filter((one) => kind === '' || one.kind === kind)
        .filter((one) => !troubled || troublesOf(one).length > 0);
      const source = {
        name: 'all',
        fetch: async (after = '', limit: number) =>
          wanted
            .filter(({ name }) => name > after)
            .slice(0, limit)
            .map((item) => ({ item, cursor: item.name })),
      };
      const page = { pageToken: request.pageToken, size: request.pageSize || PAGE, before: () => 0 };
      const { items, nextPageToken } = await mergedPage('policies', [source], page);
      return { policies: items.map((one) => policyMessage(one, clock)), nextPageToken, changes: changes() };
    },

    getPolicy: async (_ctx, { name }) => details(name),

    setPolicy: async (ctx, { pattern, change: value, reason, dryRun }) => {
      const change = changeOf(value);
      const changed = policies.set(pattern, change, { dryRun });
      if (dryRun) return { changed: [...changed], done: false };
      const actor = actorOf(ctx);
      if (change === null) notes.delete(pattern);
      else notes.set(pattern, { actor, reason, atMs: clock.now() });
      audit(ctx, 'set', pattern, reason, { change: JSON.stringify(change), changed: changed.length });
      return { changed: [...changed], done: true };
    },

    isolatePolicy: async (ctx, { name, reason, ttl, hereOnly }) => {
      const ttlMs = durationMs(ttl) ?? 0;
      const owner = actorOf(ctx);
      const everywhere = !hereOnly && policies.find(name).breaker !== undefined && isShared(name);
      if (everywhere && sharing !== undefined) await order(sharing, name, 'isolate', { owner, reason, ttlMs });
      else policies.isolate(name, { owner, reason, ttlMs });
      audit(ctx, 'isolate', name, reason, { ttl, everywhere });
      return details(name);
    },

    releasePolicy: async (ctx, { name, reason, owner }) => {
      const whose = owner || actorOf(ctx);
      const view = policies.find(name).breaker?.peek(clock.monotonicMs());
      const held = [...(view?.overrides ?? []).map(ownerOf)];
      const everywhere = orderOf(name);
      if (everywhere !== undefined) held.push(everywhere.owner);
      if (held.length > 0 && !held.includes(whose)) {
        throw appErrors.HELD_BY_OTHERS({ policy: name, whose, owners: [...new Set(held)].join(', ') });
      }
      if (everywhere?.owner === whose) await releaseAll(ctx, name, reason);
      policies.release(name, whose);
      audit(ctx, 'release', name, reason, { owner: whose });
      return details(name);
    },

    resetPolicy: async (ctx, { name, reason }) => {
      policies.find(name);
      if (orderOf(name) !== undefined) await releaseAll(ctx, name, reason);
      policies.reset(name);
      audit(ctx, 'reset', name, reason, {});
      return details(name);
    },
  };
}

/** What operators did, for whoever asks later. */
function audit(
  ctx: Context,
  action: string,
  policy: string,
  why: string,
  more: Readonly<Record<string, unknown>>,
): void {
  ctx.log.info('an operator has changed a policy', { action, policy, actor: actorOf(ctx), why, ...more });
}

/** @throws APP_CHANGE_INVALID */
function changeOf(value: Value | undefined): PolicyChange | null {
  const json = value === undefined ? undefined : toJson(ValueSchema, value);
  if (json === null) return null;
  if (typeof json === 'object' && !Array.isArray(json)) return json as PolicyChange;
  throw appErrors.CHANGE_INVALID({});
}
