import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sheddingServer } from './shedding-server.ts';

// A hundred workers of 100 ms each, so 1,000 calls a second at best. A twentieth is critical_plus, a tenth critical.
const MIX = [0.05, 0.1, 0.25, 0.3, 0.3];
const SERVER = { workers: 100, serviceMs: 100 };
const DOOR = {
  limit: { initial: 200, min: 64, max: 2000 },
  queueFactor: 4,
  queueTimeoutMs: 1000,
  overloadAfterMs: 500,
  overloadWaitMs: 100,
};

const offered = (perSec: number): number[] => MIX.map((part) => part * perSec);

for (const times of [1.5, 3, 5])
  test(`${times} times what it can do: nine tenths of it is done, and nearly all of what matters most, in time`, () => {
    const world = sheddingServer(DOOR, { load: offered(600), ...SERVER });
    world.watch(20);
    world.load = offered(1000 * times);
    const burst = world.watch(5);
    const then = world.watch(15);
    for (const [{ goodput, classes }, least] of [
      [burst, 0.95],
      [then, 0.98],
    ] as const) {
      assert.ok(goodput > 850, `${goodput} a second`);
      for (const { served, p99 } of classes.slice(0, 2))
        assert.ok(served > least && p99 < 500, `${served} in ${p99} ms`);
    }
    assert.ok((then.classes[4]?.served ?? 1) < 0.1, `${then.classes[4]?.served}`);
  });

test('after five times what it can do all is served again within ten seconds', () => {
  const world = sheddingServer(DOOR, { load: offered(5000), ...SERVER });
  world.watch(20);
  world.load = offered(600);
  world.watch(10);
  for (const { served } of world.watch(10).classes) assert.ok(served > 0.98, `${served}`);
});

test('at nine tenths of what it can do nobody is refused', () => {
  const world = sheddingServer(DOOR, { load: offered(900), ...SERVER });
  world.watch(10);
  for (const { served } of world.watch(40).classes) assert.ok(served > 0.98, `${served}`);
});

test('the queue is bounded whatever comes', () => {
  const world = sheddingServer(DOOR, { load: offered(5000), ...SERVER });
  for (let second = 0; second < 10; second++) {
    world.watch(1);
    assert.ok(world.shedder.gate.queued <= world.shedder.gate.limit * 4);
  }
});
