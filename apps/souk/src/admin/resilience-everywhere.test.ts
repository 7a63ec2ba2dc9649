import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  Breaker_State,
  ResilienceAdminService as Contract,
  PolicySchema,
  type ResilienceAdminService,
} from '@souk/contracts/admin/v1/resilience';
import { rootContext, virtualRuntime } from '@souk/kernel';
import { createPolicyRegistry } from '@souk/resilience';
import { type Client, createClient, createInProcessTransport, createRouter } from '@souk/rpc';
import { silentTelemetry } from '@souk/telemetry';
import { resilienceHandlers } from './resilience.ts';
import { mergePolicies, resilienceEverywhere } from './resilience-everywhere.ts';

const runtime = virtualRuntime();
const telemetry = silentTelemetry(runtime);

/** The door of one process, with policies of its own. */
function process(...names: string[]) {
  const policies = createPolicyRegistry({ runtime });
  for (const name of names) policies.policy(name, 'call');
  const router = createRouter({ runtime, telemetry });
  router.add(Contract, resilienceHandlers({ policies, sharing: undefined, runtime }));
  const admin: Client<typeof ResilienceAdminService> = createClient(Contract, createInProcessTransport(router), {
    runtime,
    telemetry,
  });
  return { policies, admin };
}

const ctx = () => rootContext({ runtime, caller: { roles: ['admin'], service: 'operator' } });

function world() {
  const [one, other, edge] = [
    process('rpc:catalog.PriceItems', 'sql:orders'),
    process('rpc:catalog.PriceItems'),
    process('rpc:orders.GetOrder'),
  ];
  const admins = [one, other, edge].map(({ admin }) => admin);
  return { one, other, edge, everywhere: resilienceEverywhere(() => admins) };
}

test('a policy of several processes is listed once, and pages go through all', async () => {
  const { everywhere } = world();
  const names: string[] = [];
  for (let pageToken = ''; ; ) {
    const page = await everywhere.listPolicies(ctx(), {
      pageSize: 2,
      pageToken,
      pattern: '',
      kind: '',
      troubled: false,
    } as never);
    names.push(...(page.policies ?? []).map((policy) => policy.name as string));
    pageToken = page.nextPageToken ?? '';
    if (pageToken === '') break;
  }
  assert.deepEqual(names, ['rpc:catalog.PriceItems', 'rpc:orders.GetOrder', 'sql:orders']);
});

test('what is isolated is isolated in every process that has it, and in no other', async () => {
  const { one, other, edge, everywhere } = world();
  const name = 'rpc:catalog.PriceItems';
  const details = await everywhere.isolatePolicy(ctx(), { name, reason: 'test', ttl: '10m', hereOnly: true } as never);
  assert.equal(details.policy?.breaker?.state, Breaker_State.FORCED_OPEN);
  const stateOf = ({ policies }: typeof one) => policies.list().find((each) => each.name === name)?.breaker?.state;
  assert.deepEqual([stateOf(one), stateOf(other), stateOf(edge)], ['FORCED_OPEN', 'FORCED_OPEN', undefined]);
});

test('a policy that no process has is not found', async () => {
  const { everywhere } = world();
  await assert.rejects(everywhere.getPolicy(ctx(), { name: 'rpc:nobody.Nothing' } as never), { code: 'not_found' });
});

test('counts are those of all, the state is the worst one', () => {
  const policy = (state: Breaker_State, calls: bigint) =>
    create(PolicySchema, { name: 'a', breaker: { state }, counts: { calls, retries: 1n } });
  const merged = mergePolicies([policy(Breaker_State.CLOSED, 3n), policy(Breaker_State.OPEN, 4n)]);
  assert.equal(merged.breaker?.state, Breaker_State.OPEN);
  assert.deepEqual(merged.counts, { calls: 7n, retries: 2n });
});
