import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ShopProcess, soukCommand, startShop } from '../support/shop.ts';
import { type Buyer, eventually, type ShopClient, shopClient } from '../support/shop-client.ts';
import { scratchFolder, startNode } from '../support/shop-process.ts';

const PROVIDER = 'http:payment-provider';
const AUTHORIZE = 'rpc:payments.AuthorizePayment';
const POLICIES = '/api/v1/admin/resilience/policies';

let shop: ShopProcess;
let client: ShopClient;
let buyer: Buyer;
let productId: string;

before(async () => {
  shop = await startShop({ args: ['--log.level=info'] });
  client = shopClient(shop);
  buyer = await client.buyer();
  productId = await client.product(100);
  const { id } = await order();
  await client.settled(buyer.token, id);
});
after(() => shop?.stop());

const order = () => client.placeOrder(buyer, [{ productId, quantity: 1 }]);

/** `souk resilience …`, as the operator of this shop. */
async function resilience(...args: string[]) {
  const command = startNode([soukCommand, 'resilience', ...args, '--url', shop.url], {
    cwd: scratchFolder(),
    env: { SOUK_DATA: shop.folder },
  });
  const { code } = await command.exit;
  return { code, stdout: command.stdout(), stderr: command.stderr() };
}

/** One that is done, and what it says. */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await resilience(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

interface Details {
  readonly policy: {
    readonly breaker?: { readonly state: string };
    readonly counts: Readonly<Record<string, string>>;
  };
  readonly effective: Readonly<Record<string, unknown>>;
}

const show = async (name: string): Promise<Details> =>
  client.ok('GET', `${POLICIES}/${encodeURIComponent(name)}`, { token: await client.adminToken() });
const stateOf = async (name: string) => (await show(name)).policy.breaker?.state;
const count = async (name: string, what: string) => Number((await show(name)).policy.counts[what]);

const refusals = (name: string) => count(name, 'refused_breaker_open');

/** What operators did to policies, out of the log of the shop. */
const audited = (action: string): Record<string, unknown>[] =>
  shop
    .output()
    .split('\n')
    .filter((line) => line.includes('an operator has changed a policy'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line.action === action);

test('policies of real traffic are listed with their figures, by pattern and kind, and nothing is wrong', async () => {
  const all = await done('list');
  assert.match(all, /^ {2}POLICY +BREAKER +P50 +P99 +CALLS +FAILED +REFUSED +RETRIES +KIND\n/);
  assert.match(all, /^ {2}http:payment-provider +CLOSED +[\d.]+ m?s +[\d.]+ m?s +[1-9]\d* .* http$/m);
  assert.match(all, /^ {2}rpc:payments\.AuthorizePayment +CLOSED .* call$/m);
  assert.match(all, /^ {2}sql:orders +CLOSED .* sql$/m);
  assert.match(all, /\nFurther \d+ were never called: --all\n$/);
  assert.doesNotMatch(all, /rpc:payments\.RunReconciliation/);
  assert.match(await done('list', 'rpc:payments.*', '--all'), /^ {2}rpc:payments\.RunReconciliation +CLOSED/m);

  const some = JSON.parse(await done('list', '--kind', 'sql', '--json')) as { policies: { name: string }[] };
  assert.ok(some.policies.length >= 8 && some.policies.every(({ name }) => name.startsWith('sql:')));
  assert.equal(await done('list', PROVIDER, '--troubled'), 'All is well.\n');
  assert.equal(await done('list', 'http:nobody'), 'No such policy.\n');
  const unknown = await resilience('list', '--kind', 'tcp');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /^souk: .*kind.*\n$/);
});

test('a policy that does not exist is answered with those that do', async () => {
  const { code, stderr } = await resilience('show', 'http:payment-provder');
  assert.equal(code, 1);
  assert.match(stderr, /there is no policy http:payment-provder; there are: .*http:payment-provider.*\(404\)/);
});

test("while the provider is isolated orders wait, and are confirmed once it is released, without anybody's doing", async () => {
  const reason = 'they asked us to wait';
  const isolated = await done('isolate', PROVIDER, '--for', '10m', '--reason', reason);
  assert.match(
    isolated,
    /^✓ http:payment-provider is isolated for 10m(?: on all instances)?: .*\n {2}isolated by operator, .* left: they asked us to wait\n/,
  );
  const [refusedBefore, endedBefore] = [await refusals(PROVIDER), await count(PROVIDER, 'ended_success')];
  const ids = [(await order()).id, (await order()).id];
  await eventually(async () => assert.ok((await refusals(PROVIDER)) > refusedBefore));

  assert.match(
    await done('list', '--troubled'),
    /^✗ http:payment-provider: breaker FORCED_OPEN.*\n {4}isolated by operator, .* left: they asked us to wait\n/m,
  );
  assert.match(
    await done('show', PROVIDER),
    /FORCED_OPEN for [\s\S]*souk resilience release http:payment-provider --owner operator/,
  );
  for (const id of ids) assert.equal((await client.getOrder(buyer.token, id)).status, 'PLACED');
  assert.equal(await count(PROVIDER, 'ended_success'), endedBefore, 'the provider was not called');

  const released = await done('release', PROVIDER, '--reason', 'they are back');
  assert.match(
    released,
    /^✓ http:payment-provider: its breaker is (CLOSED|HALF_OPEN|OPEN, and the next call tries its target)\n(?: {2}all instances hear of it .*\n)?$/,
  );
  for (const id of ids) assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
  await eventually(async () => assert.equal(await stateOf(PROVIDER), 'CLOSED'));
  assert.deepEqual(
    [...audited('isolate'), ...audited('release')].map(({ action, policy, actor, why }) => [
      action,
      policy,
      actor,
      why,
    ]),
    [
      ['isolate', PROVIDER, 'operator', reason],
      ['release', PROVIDER, 'operator', 'they are back'],
    ],
  );
});

test('orders that wait for a method of a service go on when it is released, long before the isolation would end', async () => {
  const refusedBefore = await refusals(AUTHORIZE);
  await done('isolate', AUTHORIZE, '--for', '30m', '--reason', 'to see');
  const { id } = await order();
  await eventually(async () => assert.ok((await refusals(AUTHORIZE)) > refusedBefore));
  assert.equal((await client.getOrder(buyer.token, id)).status, 'PLACED');
  await done('release', AUTHORIZE, '--reason', 'seen');
  assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
});

test('nobody ends by mistake what somebody else wanted, and a reset says what it ends', async () => {
  const body = { reason: 'to see', ttl: '10m' };
  const path = `${POLICIES}/${encodeURIComponent(PROVIDER)}/isolate`;
  const taken = await client.call('POST', path, { token: await client.adminToken(), body });
  assert.equal(taken.status, 200, JSON.stringify(taken.body));
  const refused = await resilience('release', PROVIDER, '--reason', 'it is back');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /is not held by operator but by usr_\S+: say whose isolation shall end/);
  const unasked = await resilience('reset', PROVIDER, '--reason', 'it is back');
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /isolated by usr_\S+, .*: to see: nobody can be asked here, so --yes is needed/);
  assert.equal(await stateOf(PROVIDER), 'FORCED_OPEN');
  await done('reset', PROVIDER, '--reason', 'it is back', '--yes');
  assert.equal(await stateOf(PROVIDER), 'CLOSED');
});

test('a change of a pattern is in force at once, holds back what it shall, and is taken back whole', async () => {
  const pattern = 'http:payment-*';
  const set = ['set', pattern, 'rateLimit.limit=1', 'rateLimit.periodMs=3600000', '--reason', 'they bill by the call'];
  const before = (await show(PROVIDER)).effective;
  assert.equal(await done(...set, '--dry-run'), `1 policy would change:\n  ${PROVIDER}\n`);
  assert.equal((await resilience(...set)).code, 2, 'of many, and nobody can be asked');
  assert.deepEqual((await show(PROVIDER)).effective, before);

  assert.match(await done(...set, '--yes'), /✓ changed: http:payment-provider, [\s\S]*set 'http:payment-\*' --clear/);
  assert.deepEqual((await show(PROVIDER)).effective, { ...before, rateLimit: { limit: 1, periodMs: 3_600_000 } });
  assert.match(
    await done('show', PROVIDER),
    /Changed at run time[\s\S]*http:payment-\* {2}\{"rateLimit":\{.*\}\} {2}by operator: they bill by the call/,
  );
  const refusedBefore = await count(PROVIDER, 'refused_rate_limited');
  const { id } = await order();
  await eventually(async () => assert.ok((await count(PROVIDER, 'refused_rate_limited')) > refusedBefore), 30_000);

  assert.match(await done('set', pattern, 'null', '--reason', 'they no longer do', '--yes'), /✓ taken back/);
  assert.deepEqual((await show(PROVIDER)).effective, before);
  assert.equal((await client.settled(buyer.token, id)).status, 'CONFIRMED');
  // Each process of a split shop notes it, those too that have nothing that fits.
  const changes = audited('set').filter(({ changed }) => changed !== 0);
  assert.partialDeepStrictEqual(changes, [
    { policy: pattern, actor: 'operator', why: 'they bill by the call', changed: 1 },
    { policy: pattern, change: 'null', why: 'they no longer do' },
  ]);
});

test('an option that there is not is refused with the one that was meant, and nothing changes', async () => {
  const before = await done('list', '--json', '--kind', 'call');
  for (const [args, problem] of [
    [
      ['rpc:payments.*', 'retry.maxAtempts=2', '--dry-run'],
      /retry\.maxAtempts: want an option that exists \(maxAttempts, if that was meant/,
    ],
    [[AUTHORIZE, 'retry.maxAtempts=2'], /retry\.maxAtempts: want an option that exists/],
    [[AUTHORIZE, 'timeout=soon'], /timeout: want a number/],
    [['rpc:nobody.*', '{"brake": {}}', '--yes'], /brake/],
  ] as const) {
    const { code, stderr } = await resilience('set', ...args, '--reason', 'to see');
    assert.equal(code, 1);
    assert.match(stderr, problem);
    assert.match(stderr, /^souk: the shop refused POST [^\n]+ \(400\)\n$/);
  }
  const configs = (json: string) =>
    (JSON.parse(json) as { policies: { config: unknown }[] }).policies.map(({ config }) => config);
  assert.deepEqual(configs(await done('list', '--json', '--kind', 'call')), configs(before));
  assert.equal(JSON.parse(await done('list', '--json')).changes.length, 0);
});

test('policies are for administrators and the operator only', async () => {
  const path = `${POLICIES}/${encodeURIComponent(PROVIDER)}`;
  const body = { reason: 'because I can', ttl: '10m', pattern: '*', change: { mode: 'off' } };
  for (const [verb, at] of [
    ['GET', POLICIES],
    ['GET', path],
    ['POST', '/api/v1/admin/resilience/changes'],
    ['POST', `${path}/isolate`],
    ['POST', `${path}/release`],
    ['POST', `${path}/reset`],
  ] as const) {
    const call = (token?: string) => client.call(verb, at, { token, ...(verb === 'POST' && { body }) });
    assert.equal((await call()).status, 401, at);
    assert.equal((await call(buyer.token)).status, 403, at);
  }
  assert.equal(await stateOf(PROVIDER), 'CLOSED');
});
