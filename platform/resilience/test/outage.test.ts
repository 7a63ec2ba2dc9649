import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, virtualRuntime } from '@souk/kernel';
import { createPolicy, PRESETS } from '../src/index.ts';

const errors = defineErrors('STOCK', { GONE: { code: 'unavailable', text: 'nobody listens', retry: 'later' } });

for (const downSec of [10, 180, 900])
  test(`the policy for calls lets all of them through again after ${downSec} s without a target, within five seconds`, async () => {
    const runtime = virtualRuntime({ seed: 1 });
    const policy = createPolicy({ name: 'stock', config: PRESETS.call, runtime });
    let isUp = true;
    let answered = 0;
    let sent = 0;
    const work = async () => {
      sent++;
      if (!isUp) throw errors.GONE();
    };
    const calls = runtime.timers.every(50, () => {
      policy.run(work).then(
        () => answered++,
        () => {},
      );
    });
    await runtime.advance(30_000);
    isUp = false;
    sent = 0;
    await runtime.advance(downSec * 1000);
    assert.ok(sent < 50 + 2.5 * downSec, `${sent} calls for nothing`);
    isUp = true;
    // The breaker asks once a second or so, and the throttle has learned nothing from the probes.
    await runtime.advance(5000);
    answered = 0;
    await runtime.advance(10_000);
    calls.cancel();
    assert.equal(answered, 200);
  });
