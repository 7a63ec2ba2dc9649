import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LimitAlgorithm } from '../src/adaptive-limit-options.ts';
import { limitedServer } from './limited-server.ts';

// Ten workers of 50 ms each, so 200 calls a second at best. Alone a call takes 50 ms, and one in a hundred 140 ms.

const ALGORITHMS: readonly LimitAlgorithm[] = ['correlation', 'vegas', 'gradient2'];

for (const algorithm of ALGORITHMS) {
  test(`${algorithm}: three times the load, beyond capacity: 90 % of it is answered, and nobody waits long`, () => {
    const world = limitedServer({ algorithm }, { load: 100 });
    assert.equal(world.watch(60).refused, 0);
    world.load = 300;
    const burst = world.watch(10);
    assert.ok(burst.goodput > 180 && burst.p99 < 300, JSON.stringify(burst));
    const then = world.watch(110);
    assert.ok(then.goodput > 180 && then.p99 < 220, JSON.stringify(then));
    world.load = 100;
    const after = world.watch(60);
    assert.ok(after.refused < 2 && after.p99 < 200, JSON.stringify(after));
  });

  test(`${algorithm}: a server four times as slow is still used, and fully again when it is fast`, () => {
    const world = limitedServer({ algorithm }, { load: 100 });
    world.watch(60);
    world.server.serviceMs = 200;
    // At most 50 a second, and one call in a hundred takes 560 ms whatever we do. It must not take minutes to see that it is no queue.
    const early = world.watch(60);
    assert.ok(early.goodput > 33, JSON.stringify(early));
    const slow = world.watch(60);
    assert.ok(slow.goodput > 40 && slow.p99 < 900, JSON.stringify(slow));
    world.server.serviceMs = 50;
    const seconds = world.secondsUntil(90, 60);
    assert.ok(seconds <= 15, `${seconds} s`);
  });

  test(`${algorithm}: with half of the workers gone 85 % of what is left is used, and all when they are back`, () => {
    const world = limitedServer({ algorithm }, { load: 160 });
    world.watch(60);
    world.server.workers = 5;
    world.watch(10);
    const half = world.watch(60);
    assert.ok(half.goodput > 85 && half.p99 < 400, JSON.stringify(half));
    world.server.workers = 10;
    const seconds = world.secondsUntil(145, 60);
    assert.ok(seconds <= 15, `${seconds} s`);
  });

  test(`${algorithm}: an hour of twice the load does not let the baseline creep up until nothing is limited`, () => {
    const world = limitedServer({ algorithm }, { load: 80, serviceMs: 250 });
    world.watch(600);
    const early = world.watch(600);
    world.watch(1800);
    const late = world.watch(600);
    for (const seen of [early, late]) assert.ok(seen.goodput > 34 && seen.p99 < 1100, JSON.stringify(seen));
    assert.ok(late.limit < 40, `${late.limit}`);
  });
}

test('aimd: an hour of twice the load ends where calls take its timeout', () => {
  const world = limitedServer({ algorithm: 'aimd', timeoutMs: 1000 }, { load: 80, serviceMs: 250 });
  world.watch(3000);
  const late = world.watch(600);
  assert.ok(late.goodput > 38 && late.p99 < 1400, JSON.stringify(late));
});

test('a limit grown in busy hours does not stay where a night that does not use it leaves no reason', () => {
  const world = limitedServer({}, { load: 180 });
  world.watch(120);
  world.load = 10;
  const night = world.watch(1200);
  assert.ok(night.refused < 0.05, JSON.stringify(night));
  assert.ok(night.limit <= 25, `${night.limit}`);
  world.load = 180;
  assert.ok(world.secondsUntil(165, 60) <= 10);
});
