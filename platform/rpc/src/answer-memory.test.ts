import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ApiSchema, BytesValueSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { virtualRuntime } from '@souk/kernel';
import { OrderSchema, type ShopHandlers, ShopService, shopHandlers } from '../test/shop.ts';
import { recordTelemetry } from '../test/telemetry.ts';
import { holdsBytes } from './answer-memory.ts';
import { createRouter } from './index.ts';

function setUp(handlers: Partial<ShopHandlers>) {
  const router = createRouter({ runtime: virtualRuntime(), telemetry: recordTelemetry().telemetry });
  router.add(ShopService, shopHandlers(handlers));
  const ask = async (name: string, codec: 'proto' | 'json', request: Record<string, unknown> = {}) => {
    const method = `shop.v1.ShopService/${name}`;
    const body =
      codec === 'json'
        ? Buffer.from(JSON.stringify(request))
        : toBinary(ShopService.method.getOrder.input, create(ShopService.method.getOrder.input, request));
    const facts = { headers: {}, timeoutMs: 1000, signal: undefined };
    return (await router.handle({ method, codec, body, ...facts }, { roles: [], service: 'test' })).body;
  };
  return { ask, router };
}

test('an answer that is given again is encoded once for each codec', async () => {
  for (const answer of [{ id: 'o', version: 3 }, create(OrderSchema, { id: 'o', version: 3 })]) {
    const { ask, router } = setUp({ getOrder: async () => answer });
    const texts: string[] = [];
    for (let count = 0; count < 4; count++)
      texts.push(Buffer.from(await ask('GetOrder', 'json', { id: 'o' })).toString());
    assert.equal(JSON.parse(texts[0] as string).version, 3);
    assert.equal(new Set(texts).size, 1);
    const binary = await ask('GetOrder', 'proto', { id: 'o' });
    assert.equal(binary, await ask('GetOrder', 'proto', { id: 'o' }));
    assert.equal(fromBinary(OrderSchema, binary).version, 3);
    const method = router.methods.get('shop.v1.ShopService/GetOrder');
    const message = method?.answers?.messageOf(answer, () => assert.fail('made again'));
    assert.deepEqual(message && method?.answers?.kept(message), { message, json: texts[0], proto: binary });
  }
});

test('equal answers that are not the same object are kept apart', async () => {
  let version = 0;
  const { ask } = setUp({ getOrder: async () => ({ id: 'o', version: ++version }) });
  for (const expected of [1, 2, 3]) {
    assert.equal(JSON.parse(Buffer.from(await ask('GetOrder', 'json', { id: 'o' })).toString()).version, expected);
  }
});

test('answers of methods with side effects are not remembered', async () => {
  const answer = { left: 3 };
  const { ask } = setUp({ reserveStock: async () => answer });
  const bodies: Uint8Array[] = [];
  for (let count = 0; count < 3; count++) bodies.push(await ask('ReserveStock', 'proto'));
  assert.notEqual(bodies[1], bodies[2]);
});

test('bytes are found at any depth', () => {
  assert.equal(holdsBytes(BytesValueSchema), true);
  assert.equal(holdsBytes(ApiSchema), true);
  assert.equal(holdsBytes(TimestampSchema), false);
});
