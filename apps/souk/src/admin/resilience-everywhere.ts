import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  Breaker_State,
  type ListPoliciesRequest,
  type Policy,
  type PolicyChange,
  type PolicyDetails,
  type ResilienceAdminService,
  type SetPolicyResponseSchema,
} from '@souk/contracts/admin/v1/resilience';
import { type Context, isSoukError } from '@souk/kernel';
import type { Client, Handlers } from '@souk/rpc';
import { mergedPage } from './merged-page.ts';

type Admin = Client<typeof ResilienceAdminService>;
type Doors = Handlers<typeof ResilienceAdminService>;

/** Carried by calls that were handed on to every process, beside the roles of whoever asked. It allows nothing. */
const HANDED_ON = 'handed-on';

const PAGE = 100;
/** Longest wait for one process. One that does not answer is left out of lists, and makes a change fail. */
const ASK_MS = 3000;

/**
 * Policies of all processes of a split shop as one: a policy of several instances is shown as it is where it is worst off, with the counts of all,
 * and what is done to it is done on each.
 *
 * @param admins The operators' door of every process that serves now.
 */
export function resilienceEverywhere(admins: () => readonly Admin[]): Handlers<typeof ResilienceAdminService> {
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

  /** Those that have the policy. @throws what the last of them said when none has it */
  const having = async (ctx: Context, name: string): Promise<{ admin: Admin; details: PolicyDetails }[]> => {
    const all = admins();
    const outcomes = await Promise.allSettled(
      all.map(async (admin) => ({ admin, details: await admin.getPolicy(ctx, { name }, { timeoutMs: ASK_MS }) })),
    );
    const found = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    // A process that could not be asked may have it: better to say so than to say that there is none.
    const failures = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    const grave = failures.find((one) => !(isSoukError(one) && one.code === 'not_found'));
    if (found.length === 0) throw grave ?? failures[0];
    return found;
  };

  const onEach = async (
    ctx: Context,
    name: string,
    act: (admin: Admin) => Promise<PolicyDetails>,
  ): Promise<PolicyDetails> => {
    const found = await having(ctx, name);
    return worstDetails(await Promise.all(found.map(({ admin }) => act(admin))));
  };

  return {
    listPolicies: async (ctx, request) => {
      const answers = await Promise.allSettled(admins().map((admin) => policiesOf(ctx, admin, request)));
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
    getPolicy: async (ctx, { name }) => worstDetails((await having(ctx, name)).map(({ details }) => details)),
    setPolicy: async (ctx, request) => {
      // Tried everywhere first: a change that is wrong for one policy changes none, of any process.
      const all = admins();
      const { $typeName: _, ...wanted } = request;
      const ask = (dryRun: boolean) =>
        Promise.all(all.map((admin) => admin.setPolicy(ctx, { ...wanted, dryRun }, { timeoutMs: ASK_MS })));
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

/**
 * For a process that serves operators and is itself one of those that are asked: what was handed on once, from here or from another that serves
 * operators, is about this process alone. It would go round without end.
 */
export function onceEverywhere(everywhere: Doors, own: Doors): Doors {
  const through = async <T>(ctx: Context, ask: (doors: Doors, ctx: Context) => Promise<T>): Promise<T> => {
    const { caller } = ctx;
    if (caller.roles.includes(HANDED_ON)) return ask(own, ctx);
    using handedOn = ctx.with({ caller: { ...caller, roles: [...caller.roles, HANDED_ON] } });
    return await ask(everywhere, handedOn);
  };
  return {
    listPolicies: (ctx, request) => through(ctx, (doors, to) => doors.listPolicies(to, request)),
    getPolicy: (ctx, request) => through(ctx, (doors, to) => doors.getPolicy(to, request)),
    setPolicy: (ctx, request) => through(ctx, (doors, to) => doors.setPolicy(to, request)),
    isolatePolicy: (ctx, request) => through(ctx, (doors, to) => doors.isolatePolicy(to, request)),
    releasePolicy: (ctx, request) => through(ctx, (doors, to) => doors.releasePolicy(to, request)),
    resetPolicy: (ctx, request) => through(ctx, (doors, to) => doors.resetPolicy(to, request)),
  };
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
