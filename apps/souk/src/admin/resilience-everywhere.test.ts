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
import { rootContext, virtualRuntime } from '@souk/kernel';
import { createPolicyRegistry } from '@souk/resilience';
import { type Client, createClient, createInProcessTransport, createRouter } from '@souk/rpc';
import { silentTelemetry } from '@souk/telemetry';
import { resilienceHandlers } from './resilience.ts';
import { mergePolicies, onceEverywhere, resilienceEverywhere } from './resilience-everywhere.ts';

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

test('processes that serve operators are asked once each for their own, though they hand on to one another', async () => {
  const service = process('rpc:catalog.PriceItems');
  const admins: (typeof service.admin)[] = [service.admin];
  let handedOn = 0;
  const everyone = () => {
    handedOn++;
    return admins;
  };
  const operators = ['one', 'other'].map((name) => {
    const policies = createPolicyRegistry({ runtime });
    policies.policy(`rpc:${name}`, 'call');
    const own = resilienceHandlers({ policies, sharing: undefined, runtime });
    const router = createRouter({ runtime, telemetry });
    router.add(Contract, onceEverywhere(resilienceEverywhere(everyone), own));
    const admin: typeof service.admin = createClient(Contract, createInProcessTransport(router), {
      runtime,
      telemetry,
    });
    admins.push(admin);
    return { admin, policies };
  });
  const [one] = operators as [(typeof operators)[0], (typeof operators)[0]];
  const list = await one.admin.listPolicies(ctx(), {});
  assert.deepEqual(
    list.policies.map(({ name }) => name),
    ['rpc:catalog.PriceItems', 'rpc:one', 'rpc:other'],
  );
  assert.equal(handedOn, 1);
  await one.admin.setPolicy(ctx(), {
    pattern: 'rpc:*',
    change: fromJson(ValueSchema, { timeout: 500 }),
    reason: 'slow tonight',
  });
  for (const { policies } of [service, ...operators])
    assert.deepEqual(Object.keys(policies.changes()), ['rpc:*'], 'once, in every process');
  assert.equal(handedOn, 2);
});
