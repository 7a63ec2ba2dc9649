import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import {
  Breaker_State,
  ResilienceAdminService as Contract,
  PolicySchema,
  type ResilienceAdminService,
} from '@souk/contracts/admin/v1/resilience';
import { kernelErrors, rootContext, virtualRuntime } from '@souk/kernel';
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
  const doors = [one, other, edge].map(({ admin }, index) => ({ process: `p-${index + 1}`, client: admin }));
  return { one, other, edge, doors, everywhere: resilienceEverywhere(() => doors) };
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

test('a policy that no process has is not found, and those of all are named', async () => {
  const { everywhere } = world();
  const name = 'rpc:nobody.Nothing';
  for (const asked of [
    () => everywhere.getPolicy(ctx(), { name } as never),
    () => everywhere.isolatePolicy(ctx(), { name, reason: 'test', ttl: '10m', hereOnly: true } as never),
  ]) {
    await assert.rejects(asked, {
      reason: 'RESILIENCE_UNKNOWN_POLICY',
      message: /there are: rpc:catalog.PriceItems, rpc:orders.GetOrder, sql:orders$/,
    });
  }
});

test('where a process does not answer, the others do as told, and it is named', async () => {
  const { one, other, doors } = world();
  const fails = () => Promise.reject(kernelErrors.DEADLINE_EXCEEDED());
  const away = new Proxy({} as Client<typeof ResilienceAdminService>, { get: () => fails });
  const everywhere = resilienceEverywhere(() => [...doors, { process: 'orders-2', client: away }]);
  const name = 'rpc:catalog.PriceItems';
  const isolating = everywhere.isolatePolicy(ctx(), { name, reason: 'test', ttl: '10m', hereOnly: true } as never);
  await assert.rejects(isolating, {
    reason: 'APP_NOT_EVERYWHERE',
    message: /done in 2 processes, but not in orders-2/,
  });
  for (const { policies } of [one, other])
    assert.equal(policies.list().find((each) => each.name === name)?.breaker?.state, 'FORCED_OPEN');
  const change = fromJson(ValueSchema, { timeout: 5 });
  const setting = everywhere.setPolicy(ctx(), { pattern: 'rpc:*', change, reason: 'test', dryRun: false } as never);
  await assert.rejects(setting, { reason: 'APP_NOT_EVERYWHERE', message: /done in 0 processes, but not in orders-2/ });
  for (const { policies } of [one, other]) assert.deepEqual(policies.changes(), {});
  // What is only looked at is looked at where it can be.
  const seen = await everywhere.getPolicy(ctx(), { name } as never);
  assert.equal(seen.policy?.breaker?.state, Breaker_State.FORCED_OPEN);
});

test('counts are those of all, the state is the worst one', () => {
  const policy = (state: Breaker_State, calls: bigint) =>
    create(PolicySchema, { name: 'a', breaker: { state }, counts: { calls, retries: 1n } });
  const merged = mergePolicies([policy(Breaker_State.CLOSED, 3n), policy(Breaker_State.OPEN, 4n)]);
  assert.equal(merged.breaker?.state, Breaker_State.OPEN);
  assert.deepEqual(merged.counts, { calls: 7n, retries: 2n });
});
