import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  Breaker_State,
  type ListPoliciesRequest,
  ListPoliciesRequestSchema,
  type Policy,
  type PolicyChange,
  type PolicyDetails,
  type ResilienceAdminService,
  type SetPolicyResponseSchema,
} from '@souk/contracts/admin/v1/resilience';
import { type Context, fromUnknown, isSoukError, type SoukError } from '@souk/kernel';
import { resilienceErrors } from '@souk/resilience';
import type { Client, Handlers } from '@souk/rpc';
import { appErrors } from '../errors.ts';
import { mergedPage } from './merged-page.ts';

type Admin = Client<typeof ResilienceAdminService>;

const PAGE = 100;
/** The operators' door of a process. */
export interface ProcessDoor {
  /** `orders-1` */
  readonly process: string;
  readonly client: Admin;
}

/** Longest wait for one process. One that does not answer is left out of lists, and makes a change fail once it is done on the others. */
const ASK_MS = 3000;

/**
 * Policies of all processes of a split shop as one: a policy of several instances is shown as it is where it is worst off, with the counts of all,
 * and what is done to it is done on each.
 *
 * @param doors Of every process that serves now.
 */
export function resilienceEverywhere(doors: () => readonly ProcessDoor[]): Handlers<typeof ResilienceAdminService> {
  const policiesOf = async (ctx: Context, admin: Admin, request: ListPoliciesRequest) => {
    const policies: Policy[] = [];
    let changes: readonly PolicyChange[] = [];
    for (let pageToken = ''; ; ) {
      const { pattern, kind, troubled } = request;
      const page = await admin.listPolicies(ctx, { pattern, kind, troubled, pageToken }, { timeoutMs: ASK_MS });
      policies.push(...page.policies);
      changes = page.changes;
      pageToken = page.nextPageToken;
      if (pageToken === '') return { policies, changes };
    }
  };

  /** Names of the policies of all processes that answer. */
  const known = async (ctx: Context): Promise<string> => {
    const request = create(ListPoliciesRequestSchema);
    const answers = await Promise.allSettled(doors().map(({ client }) => policiesOf(ctx, client, request)));
    const names = answers.flatMap((one) =>
      one.status === 'fulfilled' ? one.value.policies.map((policy) => policy.name) : [],
    );
    return [...new Set(names)].sort().join(', ') || 'none';
  };

  /** What those that have the policy answer, and which others could not. @throws RESILIENCE_UNKNOWN_POLICY, or what keeps all that have it from answering */
  const askAll = async (ctx: Context, name: string, ask: (admin: Admin) => Promise<PolicyDetails>) => {
    const all = doors();
    const outcomes = await Promise.allSettled(all.map(({ client }) => ask(client)));
    const { found, failed } = sort(all, outcomes);
    // A process that could not be asked may have it: better to say so than to say that there is none.
    const grave = failed.filter(({ error }) => !(isSoukError(error) && error.code === 'not_found'));
    if (found.length === 0) throw grave[0]?.error ?? resilienceErrors.UNKNOWN_POLICY({ name, known: await known(ctx) });
    return { found, grave };
  };

  /** Done wherever the policy is, also when a process is in trouble: that is when operators come. */
  const onEach = async (
    ctx: Context,
    name: string,
    act: (admin: Admin) => Promise<PolicyDetails>,
  ): Promise<PolicyDetails> => {
    const { found, grave } = await askAll(ctx, name, act);
    if (grave.length > 0) throw notEverywhere(name, found.length, grave);
    return worstDetails(found);
  };

  return {
    listPolicies: async (ctx, request) => {
      const answers = await Promise.allSettled(doors().map(({ client }) => policiesOf(ctx, client, request)));
      const good = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const refused = answers.find((one) => one.status === 'rejected');
      if (good.length === 0 && refused !== undefined) throw refused.reason;
      const merged = [
        ...Map.groupBy(
          good.flatMap(({ policies }) => policies),
          ({ name }) => name,
        ).values(),
      ]
        .map(mergePolicies)
        .sort((one, other) => (one.name < other.name ? -1 : 1));
      const source = {
        name: 'all',
        fetch: async (after = '', limit: number) =>
          merged
            .filter(({ name }) => name > after)
            .slice(0, limit)
            .map((item) => ({ item, cursor: item.name })),
      };
      const page = { pageToken: request.pageToken, size: request.pageSize || PAGE, before: () => 0 };
      const { items, nextPageToken } = await mergedPage('policies', [source], page);
      const changes = new Map(good.flatMap((one) => one.changes.map((change) => [change.pattern, change] as const)));
      return { policies: [...items], nextPageToken, changes: [...changes.values()] };
    },
    getPolicy: async (ctx, { name }) =>
      worstDetails((await askAll(ctx, name, (admin) => admin.getPolicy(ctx, { name }, { timeoutMs: ASK_MS }))).found),
    setPolicy: async (ctx, request) => {
      // Tried everywhere first: a change that is wrong for one policy changes none, of any process.
      const all = doors();
      const { $typeName: _, ...wanted } = request;
      const ask = async (dryRun: boolean) => {
        const told = all.map(({ client }) => client.setPolicy(ctx, { ...wanted, dryRun }, { timeoutMs: ASK_MS }));
        const { found, failed } = sort(all, await Promise.allSettled(told));
        if (failed.length > 0) throw notEverywhere(request.pattern, dryRun ? 0 : found.length, failed);
        return found;
      };
      const tried = await ask(true);
      const done = request.dryRun ? tried : await ask(false);
      const answer: MessageInitShape<typeof SetPolicyResponseSchema> = {
        changed: [...new Set(done.flatMap(({ changed }) => changed))].sort(),
        done: !request.dryRun,
      };
      return answer;
    },
    isolatePolicy: (ctx, { name, reason, ttl, hereOnly }) =>
      onEach(ctx, name, (admin) => admin.isolatePolicy(ctx, { name, reason, ttl, hereOnly }, { timeoutMs: ASK_MS })),
    releasePolicy: (ctx, { name, reason, owner }) =>
      onEach(ctx, name, (admin) => admin.releasePolicy(ctx, { name, reason, owner }, { timeoutMs: ASK_MS })),
    resetPolicy: (ctx, { name, reason }) =>
      onEach(ctx, name, (admin) => admin.resetPolicy(ctx, { name, reason }, { timeoutMs: ASK_MS })),
  };
}

interface Failure {
  readonly process: string;
  readonly error: unknown;
}

function sort<T>(doors: readonly ProcessDoor[], outcomes: readonly PromiseSettledResult<T>[]) {
  const found = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = outcomes.flatMap((one, index): Failure[] =>
    one.status === 'rejected' ? [{ process: doors[index]?.process ?? '', error: one.reason as unknown }] : [],
  );
  return { found, failed };
}

/** What no process would do. */
const REFUSALS: readonly string[] = ['invalid_argument', 'failed_precondition', 'permission_denied'];

function notEverywhere(policy: string, done: number, failed: readonly Failure[]): SoukError {
  const causes = failed.map(({ error }) => fromUnknown(error));
  const refusal = causes.find(({ code }) => REFUSALS.includes(code));
  if (refusal !== undefined) return refusal;
  const processes = failed.map(({ process }) => process).join(', ');
  const [cause] = causes as [SoukError];
  return appErrors.NOT_EVERYWHERE({ policy, done, processes, why: cause.message }, { cause });
}

/** What refuses calls is worse than what lets some through. */
const SEVERITY: Readonly<Record<number, number>> = {
  [Breaker_State.FORCED_OPEN]: 4,
  [Breaker_State.OPEN]: 3,
  [Breaker_State.HALF_OPEN]: 2,
};

const severityOf = ({ breaker, troubles }: Policy): number =>
  (SEVERITY[breaker?.state ?? Breaker_State.STATE_UNSPECIFIED] ?? 0) * 100 + troubles.length;

export function mergePolicies(same: readonly Policy[]): Policy {
  const worst = same.reduce((one, other) => (severityOf(other) > severityOf(one) ? other : one));
  const counts: Record<string, bigint> = {};
  for (const policy of same) {
    for (const [name, count] of Object.entries(policy.counts)) counts[name] = (counts[name] ?? 0n) + count;
  }
  return { ...worst, counts };
}

function worstDetails(same: readonly PolicyDetails[]): PolicyDetails {
  const known = same.filter((one) => one.policy !== undefined);
  const [first] = known.toSorted((one, other) => severityOf(other.policy as Policy) - severityOf(one.policy as Policy));
  const policy = mergePolicies(known.map((one) => one.policy as Policy));
  return { ...(first as PolicyDetails), policy };
}
