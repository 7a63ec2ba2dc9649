import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import {
  GetPolicyRequestSchema,
  IsolatePolicyRequestSchema,
  ListPoliciesRequestSchema,
  ReleasePolicyRequestSchema,
  ResetPolicyRequestSchema,
  SetPolicyRequestSchema,
  Breaker_State as State,
} from '@souk/contracts/admin/v1/resilience';
import { type Logger, rootContext, type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import {
  type AdviceChannel,
  type BreakerSharing,
  type CommandStore,
  createBreakerSharing,
  createPolicyRegistry,
  type PolicyRegistry,
} from '@souk/resilience';
import { resilienceHandlers } from './resilience.ts';

const KINDS = { http: { breaker: { consecutive: 1 }, retry: {}, observe: true }, call: { timeout: 100 } };
const REASON = 'the bank asked for it';

interface World {
  readonly runtime: VirtualRuntime;
  readonly policies: PolicyRegistry;
  readonly sharing: BreakerSharing | undefined;
  readonly handlers: ReturnType<typeof resilienceHandlers>;
}

function world(channel?: AdviceChannel, runtime = virtualRuntime(), instance = 'one', commands?: CommandStore): World {
  const sharing = channel && createBreakerSharing({ instance, channel, runtime, ...(commands && { commands }) });
  const policies = createPolicyRegistry({
    runtime,
    rules: { kinds: KINDS },
    ...(sharing && { makeBreaker: (name, settings, make) => sharing.share(name, settings, make) }),
  });
  policies.policy('http:bank', 'http');
  policies.policy('rpc:stock.Reserve', 'call');
  return { runtime, policies, sharing, handlers: resilienceHandlers({ policies, sharing, runtime }) };
}

/** What one says all hear, at once. */
function inMemoryChannel(): AdviceChannel {
  const listeners = new Set<(message: unknown) => void>();
  return {
    publish: (message) => {
      for (const on of listeners) on(JSON.parse(JSON.stringify(message)));
    },
    subscribe: (on) => {
      listeners.add(on);
      return () => listeners.delete(on);
    },
  };
}

const lines: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
const note = (message: string, fields: object = {}) => void lines.push({ message, fields: { ...fields } });
const log = { debug: note, info: note, warn: note, error: note } as unknown as Logger;
const as = (userId?: string) =>
  rootContext({
    runtime: virtualRuntime(),
    log,
    caller: { roles: ['admin'], ...(userId === undefined ? { service: 'operator' } : { userId }) },
  });

const isolate = ({ handlers }: World, more: object = {}, user?: string) =>
  handlers.isolatePolicy(
    as(user),
    create(IsolatePolicyRequestSchema, { name: 'http:bank', reason: REASON, ttl: '10m', ...more }),
  );
const release = ({ handlers }: World, more: object = {}, user?: string) =>
  handlers.releasePolicy(as(user), create(ReleasePolicyRequestSchema, { name: 'http:bank', reason: REASON, ...more }));
const set = ({ handlers }: World, pattern: string, change: JsonValue, dryRun = false) =>
  handlers.setPolicy(
    as(),
    create(SetPolicyRequestSchema, { pattern, change: fromJson(ValueSchema, change), reason: REASON, dryRun }),
  );
const list = ({ handlers }: World, more: object = {}) =>
  handlers.listPolicies(as(), create(ListPoliciesRequestSchema, more));
const names = async (one: World, more: object = {}) => ((await list(one, more)).policies ?? []).map(({ name }) => name);
const get = ({ handlers }: World, name = 'http:bank') =>
  handlers.getPolicy(as(), create(GetPolicyRequestSchema, { name }));
const down = async () => {
  throw new Error('card 4242 refused for ada@example.com');
};
const stateOf = ({ runtime, policies }: World) =>
  policies.find('http:bank').breaker?.peek(runtime.clock.monotonicMs()).state;

/** Whether the bank is called. */
const calls = async ({ policies }: World) => (await policies.find('http:bank').try(async () => 1)).ok;

test('policies are listed by name, page by page, and by pattern, kind and whether they are well', async () => {
  const one = world();
  assert.deepEqual(await names(one), ['http:bank', 'rpc:stock.Reserve']);
  const first = await list(one, { pageSize: 1 });
  assert.deepEqual(await names(one, { pageSize: 1, pageToken: first.nextPageToken }), ['rpc:stock.Reserve']);
  assert.deepEqual(await names(one, { pattern: 'rpc:*' }), ['rpc:stock.Reserve']);
  assert.deepEqual(await names(one, { pattern: 'rpc:stock' }), []);
  assert.deepEqual(await names(one, { kind: 'http' }), ['http:bank']);
  assert.deepEqual(await names(one, { troubled: true }), []);
  await one.policies.find('http:bank').try(down);
  assert.deepEqual(await names(one, { troubled: true }), ['http:bank']);
});

test('a policy is shown with what it saw, and nothing of what was sent', async () => {
  const one = world();
  await one.policies.find('http:bank').try(down);
  await one.runtime.advance(1500);
  const details = await get(one);
  assert.partialDeepStrictEqual(details.policy, {
    name: 'http:bank',
    kind: 'http',
    troubles: ['breaker OPEN'],
    breaker: { state: State.OPEN, lastCause: 'Error' },
    counts: { calls: 1n, ended_failure: 1n },
    config: KINDS.http,
  });
  assert.equal(Number(details.policy?.breaker?.since?.seconds), Math.floor((one.runtime.clock.now() - 1500) / 1000));
  assert.doesNotMatch(
    JSON.stringify(details, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    /4242|ada@/,
  );
  await assert.rejects(async () => get(one, 'http:nobody'), {
    reason: 'RESILIENCE_UNKNOWN_POLICY',
    message: /http:bank, rpc:stock\.Reserve/,
  });
});

test('a change says which policies it changed, who laid it and why; null takes it back', async () => {
  const one = world();
  lines.length = 0;
  assert.deepEqual(await set(one, 'rpc:*', { timeout: 40 }), { changed: ['rpc:stock.Reserve'], done: true });
  assert.equal(one.policies.find('rpc:stock.Reserve').config.timeout, 40);
  const [change] = (await list(one)).changes ?? [];
  assert.partialDeepStrictEqual(change, {
    pattern: 'rpc:*',
    change: { timeout: 40 },
    actor: 'operator',
    reason: REASON,
  });
  assert.deepEqual((await get(one, 'rpc:stock.Reserve')).changes, [change]);
  assert.deepEqual((await get(one)).changes, []);
  assert.deepEqual(lines, [
    {
      message: 'an operator has changed a policy',
      fields: {
        ...{ action: 'set', policy: 'rpc:*', actor: 'operator', why: REASON },
        ...{ change: '{"timeout":40}', changed: 1 },
      },
    },
  ]);
  assert.deepEqual(await set(one, 'rpc:*', null), { changed: ['rpc:stock.Reserve'], done: true });
  assert.deepEqual((await list(one)).changes, []);
  assert.equal(one.policies.find('rpc:stock.Reserve').config.timeout, 100);
});

test('a dry run changes nothing and leaves no line, and what is wrong is refused by its name', async () => {
  const one = world();
  lines.length = 0;
  assert.deepEqual(await set(one, '*', { timeout: 40 }, true), {
    changed: ['http:bank', 'rpc:stock.Reserve'],
    done: false,
  });
  for (const dryRun of [true, false]) {
    await assert.rejects(async () => set(one, 'rpc:*', { retry: { maxAtempts: 2 } }, dryRun), {
      reason: 'RESILIENCE_BAD_OPTION',
      message: /retry\.maxAtempts/,
    });
    await assert.rejects(async () => set(one, 'rpc:*', { timeout: '40' }, dryRun), { message: /^timeout:/ });
  }
  for (const wrong of [7, 'off', [], true])
    await assert.rejects(async () => set(one, '*', wrong), { reason: 'APP_CHANGE_INVALID' });
  assert.deepEqual([(await list(one)).changes, lines], [[], []]);
});

test('an isolation has an owner, a reason and an end, and only its owner ends it by mistake', async () => {
  const one = world();
  lines.length = 0;
  const details = await isolate(one);
  assert.partialDeepStrictEqual(details.policy?.breaker, { state: State.FORCED_OPEN });
  assert.partialDeepStrictEqual(details.policy?.breaker?.overrides?.[0], {
    ...{ owner: 'operator', reason: REASON, leftSeconds: 600, everywhere: false },
  });
  await assert.rejects(async () => release(one, {}, 'usr_ada'), {
    reason: 'APP_HELD_BY_OTHERS',
    message: /usr_ada but by operator/,
  });
  assert.equal(stateOf(one), 'FORCED_OPEN');
  await release(one, { owner: 'operator' }, 'usr_ada');
  assert.equal(await calls(one), true);
  await release(one);
  assert.deepEqual(
    lines.map(({ fields }) => [fields.action, fields.actor, fields.why]),
    [
      ['isolate', 'operator', REASON],
      ['release', 'usr_ada', REASON],
      ['release', 'operator', REASON],
    ],
  );
  await isolate(one);
  assert.equal(await calls(one), false);
  await one.runtime.advance(600_001);
  assert.equal(await calls(one), true);
  await assert.rejects(async () => isolate(one, { name: 'rpc:stock.Reserve' }), { reason: 'RESILIENCE_NO_BREAKER' });
  await assert.rejects(async () => isolate(one, { ttl: '0s' }), { message: /ttlMs/ });
});

test('a reset closes what is open or isolated, whoever wanted it', async () => {
  const one = world();
  await one.policies.find('http:bank').try(down);
  await isolate(one, {}, 'usr_ada');
  const request = create(ResetPolicyRequestSchema, { name: 'http:bank', reason: REASON });
  const { policy } = await one.handlers.resetPolicy(as(), request);
  assert.partialDeepStrictEqual(policy?.breaker, { state: State.CLOSED, calls: 0, overrides: [] });
});

test('where breakers are shared an isolation and its end go to all instances, unless it is for one only', async () => {
  const channel = inMemoryChannel();
  const one = world(channel);
  const other = world(channel, one.runtime, 'other');
  await one.sharing?.start();
  await other.sharing?.start();
  await one.runtime.advance(5000);

  await isolate(one, { hereOnly: true });
  await one.runtime.advance(5000);
  assert.deepEqual([await calls(one), await calls(other)], [false, true]);
  await release(one);

  await isolate(one);
  await one.runtime.advance(5000);
  assert.deepEqual([await calls(one), await calls(other)], [false, false]);
  const seen = await get(other);
  assert.partialDeepStrictEqual(seen.policy?.breaker?.overrides?.[0], { owner: 'operator', everywhere: true });
  assert.deepEqual([seen.acknowledged, seen.missing], [['one', 'other'], []]);
  assert.deepEqual(
    seen.reports?.map(({ instance }) => instance),
    ['one', 'other'],
  );

  await release(other);
  await one.runtime.advance(5000);
  assert.deepEqual([await calls(one), await calls(other)], [true, true]);

  await isolate(one);
  await one.runtime.advance(5000);
  await other.handlers.resetPolicy(
    as('usr_ada'),
    create(ResetPolicyRequestSchema, { name: 'http:bank', reason: REASON }),
  );
  await one.runtime.advance(5000);
  assert.deepEqual([await calls(one), await calls(other)], [true, true]);
  await one.sharing?.stop();
  await other.sharing?.stop();
});

/** Where the orders of all instances are kept, a version each. */
function inMemoryCommands(): CommandStore & { readonly versions: number[] } {
  const kept = new Map<string, Parameters<CommandStore['save']>[0]>();
  const versions: number[] = [];
  return {
    versions,
    load: async () => [...kept.values()],
    save: async (command, expected) => {
      if ((kept.get(command.key)?.version ?? 0) !== expected) return false;
      kept.set(command.key, command);
      versions.push(command.version);
      return true;
    },
  };
}

test('instances that are told the same at the same moment give one order, and none of them complains', async () => {
  const [channel, commands, runtime] = [inMemoryChannel(), inMemoryCommands(), virtualRuntime()];
  const both = [world(channel, runtime, 'one', commands), world(channel, runtime, 'other', commands)];
  for (const { sharing } of both) await sharing?.start();
  await runtime.advance(5000);
  const tell = async (act: (one: World) => unknown) => {
    const told = Promise.all(both.map(act));
    await runtime.advance(5000);
    await told;
  };

  await tell((one) => isolate(one));
  assert.deepEqual([commands.versions, await Promise.all(both.map(calls))], [[1], [false, false]]);
  await tell((one) => release(one));
  assert.deepEqual(
    [commands.versions, await Promise.all(both.map(calls))],
    [
      [1, 2],
      [true, true],
    ],
  );
  for (const { sharing } of both) await sharing?.stop();
});
