import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instance, type Outcome, type PickRequest, type ServiceView, UP } from '@souk/discovery';
import { kernelErrors, rootContext, SoukError, virtualRuntime } from '@souk/kernel';
import { createPolicyRegistry, type PolicyRules } from '@souk/resilience';
import fc from 'fast-check';
import { ShopService } from '../test/shop.ts';
import { recordTelemetry } from '../test/telemetry.ts';
import {
  createBalancedTransport,
  createClient,
  type InstanceTransport,
  rpcErrors,
  type WireRequest,
  type WireStreamRequest,
} from './index.ts';
import { notSent } from './not-sent.ts';

const instance = (id: string, more: Partial<Instance> = {}): Instance => ({
  ...{ id, service: 'shop', address: '10.0.0.1', port: 80, protocol: 'http', version: '1.0.0', zone: '', weight: 1 },
  ...{ tags: [], meta: {}, incarnation: `${id}-1`, ...UP },
  ...more,
});
const viewOf = (...instances: Instance[]): ServiceView => ({ instances, source: 'registry' });

type Answer = (request: WireRequest) => Promise<unknown>;
const answers: Answer = async () => {};
const hangs: Answer = () => new Promise(() => {});
const fails =
  (error: unknown): Answer =>
  () =>
    Promise.reject(error);
const refused = fails(notSent('shop', new Error('ECONNREFUSED')));
const lost = fails(rpcErrors.UNREACHABLE({ service: 'shop' }, { cause: new Error('ECONNRESET') }));
const remote = (code: SoukError['code'], reason = 'SHOP_X') =>
  fails(new SoukError({ code, reason, message: 'said by the other side', retry: { kind: 'unknownOutcome' } }));

/** Instances that behave as told, and a picker that takes the first that is not avoided, or else the first. */
function setUp(
  behaviour: Readonly<Record<string, Answer>>,
  given: { waitMs?: number; rules?: PolicyRules; mirror?: string; start?: readonly string[] } = {},
) {
  const runtime = virtualRuntime();
  const told: string[] = [];
  const wishes: PickRequest[] = [];
  const sent: { id: string; request: WireRequest }[] = [];
  const closed: string[] = [];
  let view = viewOf(...(given.start ?? Object.keys(behaviour)).map((id) => instance(id)));
  let open = 0;
  const picked = (one: Instance) => {
    open++;
    let done = false;
    return {
      instance: one,
      done: ({ kind }: Outcome) => {
        assert.equal(done, false, 'told twice');
        done = true;
        open--;
        told.push(`${one.id} ${kind}`);
      },
    };
  };
  const picker = {
    update: (next: ServiceView) => {
      view = next;
    },
    pick: (wish: PickRequest) => {
      wishes.push({ ...wish, avoid: new Set(wish.avoid) });
      const ready = view.instances.filter((one) => one.ready);
      const chosen = ready.find(({ id }) => !wish.avoid?.has(id)) ?? ready[0];
      return chosen && picked(chosen);
    },
    close: () => {},
    ...(given.mirror !== undefined && { mirror: () => picked(instance(given.mirror as string)) }),
  };
  const connect = (one: Instance): InstanceTransport => ({
    send: async (request) => {
      sent.push({ id: one.id, request });
      await (behaviour[one.id] ?? answers)(request);
      return { headers: {}, body: new Uint8Array(0) };
    },
    stream: async function* ({ signal }) {
      sent.push({ id: one.id, request: {} as WireRequest });
      for (let at = 0; at < 3; at++) {
        await (behaviour[one.id] ?? answers)({ signal } as WireRequest);
        yield Uint8Array.of(at);
      }
    },
    close: async () => void closed.push(`${one.id} ${one.incarnation}`),
  });
  const { telemetry, series } = recordTelemetry();
  const { waitMs = 0 } = given;
  const transport = createBalancedTransport({ service: 'shop', picker, connect, runtime, telemetry, waitMs });
  const policies = createPolicyRegistry({ runtime, ...(given.rules && { rules: given.rules }) });
  return {
    ...{ runtime, told, wishes, sent, closed, transport, series },
    shop: createClient(ShopService, transport, { runtime, telemetry, policies }),
    ctx: rootContext({ runtime, timeoutMs: 5000 }),
    open: () => open,
    ids: () => sent.map(({ id }) => id),
  };
}

const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: SoukError) => error.reason,
  );

test('a retry goes to an instance that was not tried', async () => {
  const { shop, ctx, runtime, ids, told } = setUp({ a: remote('unavailable'), b: lost, c: answers });
  const call = reasonOf(shop.getOrder(ctx, { id: 'o' }));
  await runtime.advance(1000);
  assert.equal(await call, 'ok');
  assert.deepEqual(ids(), ['a', 'b', 'c']);
  assert.deepEqual(told, ['a error', 'b unreachable', 'c ok']);
});

test('what was not sent goes to another instance at once, also what may not be repeated, and once only', async () => {
  const { shop, ctx, runtime, ids, told, series } = setUp({ a: refused, b: answers });
  await shop.charge(ctx, {});
  assert.equal(runtime.clock.monotonicMs(), 0);
  assert.deepEqual(told, ['a unreachable', 'b ok']);
  assert.ok(series.includes('rpc_client_moved_total{target="shop"}'));
  const dead = setUp({ a: refused, b: refused, c: answers });
  assert.equal(await reasonOf(dead.shop.charge(dead.ctx, {})), 'RPC_NOT_SENT');
  assert.deepEqual(dead.ids(), ['a', 'b']);
  assert.deepEqual(ids(), ['a', 'b']);
});

test('moving on burns no attempt', async () => {
  const { shop, ctx, runtime, ids } = setUp({ a: refused, b: lost, c: lost, d: lost, e: answers });
  const call = reasonOf(shop.getOrder(ctx, { id: 'o' }));
  await runtime.advance(2000);
  assert.equal(await call, 'RPC_UNREACHABLE');
  assert.deepEqual(ids(), ['a', 'b', 'c', 'd']);
});

test('what may have happened is not sent again', async () => {
  const { shop, ctx, runtime, ids } = setUp({ a: lost, b: answers });
  const call = reasonOf(shop.charge(ctx, {}));
  await runtime.advance(2000);
  assert.equal(await call, 'RPC_UNREACHABLE');
  assert.deepEqual(ids(), ['a']);
});

test('what another process says it could not send is not sent again at once', async () => {
  const { shop, ctx, runtime, ids, told } = setUp({ a: remote('unavailable', 'RPC_NOT_SENT'), b: answers });
  const call = reasonOf(shop.charge(ctx, {}));
  await runtime.advance(2000);
  assert.equal(await call, 'RPC_NOT_SENT');
  assert.deepEqual(ids(), ['a']);
  assert.deepEqual(told, ['a error']);
});

test('a single instance that refuses is not asked twice at once', async () => {
  const { transport, told } = setUp({ a: refused });
  const request = {
    method: 'shop.v1.ShopService/Charge',
    headers: {},
    codec: 'proto',
    body: new Uint8Array(0),
  } as const;
  const tried = new Set<string>();
  const call = transport.send({ ...request, timeoutMs: 100, signal: undefined, tried });
  assert.equal(await reasonOf(call), 'RPC_NOT_SENT');
  assert.deepEqual(told, ['a unreachable', 'a canceled']);
});

for (const [what, behaviour, kind] of [
  ['an answer', answers, 'ok'],
  ['a fault of the caller', remote('invalid_argument'), 'ok'],
  ['something that is not there', remote('not_found'), 'ok'],
  ['too many calls', remote('resource_exhausted'), 'ok'],
  ['a fault of the instance', remote('internal'), 'error'],
  ['an unknown fault', remote('unknown'), 'error'],
  ['an instance that calls itself unavailable', remote('unavailable'), 'error'],
  ['an answer that cannot be read', fails(rpcErrors.BAD_ANSWER({ service: 'shop' })), 'error'],
  ['something foreign', fails(new TypeError('x')), 'error'],
  ['no answer in time', fails(kernelErrors.DEADLINE_EXCEEDED()), 'unreachable'],
  ['a lost connection', lost, 'unreachable'],
  ['a refused connection', refused, 'unreachable'],
  ['a caller who left', fails(kernelErrors.CANCELED()), 'canceled'],
] as const) {
  test(`the picker is told of ${what} once, as ${kind}`, async () => {
    const { shop, ctx, runtime, told, open } = setUp({ a: behaviour });
    const call = reasonOf(shop.charge(ctx, {}));
    await runtime.advance(10);
    await call;
    assert.equal(told[0], `a ${kind}`);
    assert.equal(open(), 0);
  });
}

test('whatever instances do, each choice is told of once and none is left open', async () => {
  const behaviours = [answers, refused, lost, remote('internal'), remote('not_found'), fails(kernelErrors.CANCELED())];
  const one = fc.constantFrom(...behaviours);
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 5 }), fc.boolean(), async (list, mirrored) => {
      const fleet = Object.fromEntries(list.map((each, at) => [`i${at}`, each]));
      const { shop, ctx, runtime, open, told, sent } = setUp(fleet, mirrored ? { mirror: 'i0' } : {});
      const calls = [reasonOf(shop.getOrder(ctx, { id: 'o' })), reasonOf(shop.charge(ctx, {}))];
      await runtime.advance(5000);
      await Promise.all(calls);
      assert.equal(open(), 0);
      const unused = told.filter((each) => each.endsWith(' canceled')).length;
      assert.ok(told.length >= sent.length && told.length <= sent.length + unused);
    }),
    { numRuns: 60 },
  );
});

test('a caller who gives up while an instance works is told as canceled', async () => {
  const canceled = ({ signal }: WireRequest) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(kernelErrors.CANCELED())));
  const { shop, ctx, told, runtime } = setUp({ a: canceled });
  const gone = new AbortController();
  const call = reasonOf(shop.getOrder(ctx.with({ signal: gone.signal }), { id: 'o' }));
  await runtime.settle();
  gone.abort();
  assert.equal(await call, 'SOUK_CANCELED');
  await runtime.settle();
  assert.deepEqual(told, ['a canceled']);
});

test('a hedge goes to another instance, and the slower of the two is called off', async () => {
  const aborted: string[] = [];
  const slow = ({ signal }: WireRequest) =>
    new Promise((_, reject) =>
      signal?.addEventListener('abort', () => {
        aborted.push('a');
        reject(kernelErrors.CANCELED());
      }),
    );
  const rules = { rules: { 'rpc:ShopService.*': { hedge: { delayMs: 20 } } } };
  const { shop, ctx, runtime, ids, told } = setUp({ a: slow, b: answers }, { rules });
  const call = reasonOf(shop.getOrder(ctx, { id: 'o' }));
  await runtime.advance(100);
  assert.equal(await call, 'ok');
  assert.deepEqual(ids(), ['a', 'b']);
  assert.deepEqual(aborted, ['a']);
  assert.deepEqual(told, ['b ok', 'a canceled']);
});

test('without an instance a call fails at once, and may be asked again', async () => {
  const { shop, ctx, runtime } = setUp({});
  const error = await shop.charge(ctx, {}).then(
    () => assert.fail(),
    (each: SoukError) => each,
  );
  assert.deepEqual([error.reason, error.code, error.retry.kind], ['DISCOVERY_NO_INSTANCE', 'unavailable', 'later']);
  assert.equal(runtime.clock.monotonicMs(), 0);
});

test('where waiting is allowed, a call waits for an instance to appear, but no longer than its time', async () => {
  const { shop, ctx, runtime, transport, sent } = setUp({}, { waitMs: 500 });
  const served = reasonOf(shop.charge(ctx, {}, { timeoutMs: 400 }));
  const hasty = reasonOf(shop.charge(ctx, {}, { timeoutMs: 100 }));
  await runtime.advance(200);
  assert.equal(await hasty, 'SOUK_DEADLINE_EXCEEDED');
  transport.update(viewOf(instance('a', { ready: false })));
  await runtime.advance(50);
  transport.update(viewOf(instance('a')));
  assert.equal(await served, 'ok');
  assert.equal(sent[0]?.request.timeoutMs, 150);
  transport.update(viewOf());
  const lonely = reasonOf(shop.charge(ctx, {}));
  await runtime.advance(500);
  assert.equal(await lonely, 'DISCOVERY_NO_INSTANCE');
});

test('a caller who gives up does not wait for an instance', async () => {
  const { shop, ctx, runtime, transport, sent } = setUp({}, { waitMs: 500 });
  const gone = new AbortController();
  const call = reasonOf(shop.charge(ctx.with({ signal: gone.signal }), {}));
  await runtime.advance(10);
  gone.abort();
  assert.equal(await call, 'SOUK_CANCELED');
  transport.update(viewOf(instance('a')));
  await runtime.advance(1000);
  assert.equal(sent.length, 0);
});

test('calls stick by the header, or by the user for whom they are made, and may demand a version', async () => {
  const { shop, ctx, wishes } = setUp({ a: answers });
  const anna = ctx.with({ caller: { userId: 'anna', roles: [] } });
  await shop.getOrder(anna, { id: 'o' });
  await shop.getOrder(anna.with({ routing: { affinity: 'basket', version: '2.0.0' } }), { id: 'o' });
  await shop.getOrder(ctx, { id: 'o' });
  assert.deepEqual(
    wishes.map(({ key, version }) => [key, version]),
    [
      ['anna', undefined],
      ['basket', '2.0.0'],
      [undefined, undefined],
    ],
  );
});

test('a call that the only instance cannot take goes to its next run, when that comes in time', async () => {
  let isBack = false;
  const behaviour = { a: (request: WireRequest) => (isBack ? answers(request) : refused(request)) };
  const { shop, ctx, runtime, transport, told } = setUp(behaviour, { waitMs: 500 });
  const waiting = reasonOf(shop.charge(ctx, {}));
  await runtime.advance(100);
  // Told again that the old run is there, it is not asked again.
  transport.update(viewOf(instance('a')));
  await runtime.advance(100);
  isBack = true;
  transport.update(viewOf(instance('a', { incarnation: 'a-2' })));
  assert.equal(await waiting, 'ok');
  assert.deepEqual(
    told.filter((one) => one !== 'a canceled'),
    ['a unreachable', 'a ok'],
  );
  isBack = false;
  const late = reasonOf(shop.charge(ctx, {}));
  await runtime.advance(500);
  assert.equal(await late, 'RPC_NOT_SENT');
});

test('a mirror gets a copy of what may be done twice, and its answer is nobody\u2019s', async () => {
  const { shop, ctx, runtime, ids, sent, told } = setUp(
    { a: answers, m: remote('internal') },
    { mirror: 'm', start: ['a'] },
  );
  await shop.getOrder(ctx, { id: 'o' });
  await shop.charge(ctx, {});
  await runtime.settle();
  assert.deepEqual(ids().sort(), ['a', 'a', 'm']);
  assert.equal(sent.find(({ id }) => id === 'm')?.request.headers['x-souk-mirror'], '1');
  assert.deepEqual(told.sort(), ['a ok', 'a ok', 'm error']);
});

test('copies under way are bounded', async () => {
  const { shop, ctx, runtime, ids } = setUp({ a: answers, m: hangs }, { mirror: 'm', start: ['a'] });
  for (let sent = 0; sent < 100; sent++) await shop.getOrder(ctx, { id: 'o' });
  await runtime.settle();
  assert.equal(ids().filter((id) => id === 'm').length, 64);
});

test('the way to an instance is closed when it is gone, stops or comes back as another run, and kept otherwise', async () => {
  const { transport, shop, ctx, closed } = setUp({ a: answers });
  await shop.getOrder(ctx, { id: 'o' });
  transport.update(viewOf(instance('a', { weight: 5 }), instance('b')));
  assert.deepEqual(closed, []);
  transport.update(viewOf(instance('a', { incarnation: 'a-2' })));
  assert.deepEqual(closed, ['a a-1']);
  await shop.getOrder(ctx, { id: 'o' });
  transport.update(viewOf(instance('a', { incarnation: 'a-2', ready: false, terminating: true })));
  assert.deepEqual(closed, ['a a-1', 'a a-2']);
});

test('once closed, nothing is sent any more', async () => {
  const { transport, shop, ctx, closed, ids } = setUp({ a: answers });
  await shop.getOrder(ctx, { id: 'o' });
  await transport.close();
  assert.deepEqual(closed, ['a a-1']);
  assert.equal(await reasonOf(shop.charge(ctx, {})), 'DISCOVERY_NO_INSTANCE');
  assert.deepEqual(ids(), ['a']);
});

test('a stream stays on its instance, and the picker is told how it ended', async () => {
  const request: WireStreamRequest = {
    ...{ method: 'shop.v1.ShopService/Watch', headers: {}, timeoutMs: undefined, signal: undefined },
    ...{ kind: 'server_streaming', codec: 'proto', messages: (async function* () {})() },
  };
  const whole = setUp({ a: answers });
  const got: number[] = [];
  for await (const [at] of whole.transport.stream(request)) got.push(at as number);
  assert.deepEqual([got, whole.told], [[0, 1, 2], ['a ok']]);
  const left = setUp({ a: answers });
  for await (const _ of left.transport.stream(request)) break;
  assert.deepEqual(left.told, ['a canceled']);
  const broken = setUp({ a: lost });
  await assert.rejects(async () => {
    for await (const _ of broken.transport.stream(request));
  });
  assert.deepEqual(broken.told, ['a unreachable']);
});
