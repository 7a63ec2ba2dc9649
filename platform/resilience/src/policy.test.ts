import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, virtualRuntime } from '@souk/kernel';
import { policyWorld, watch } from '../test/world.ts';
import { createPolicy, createTimerWheel, policy, resilienceErrors } from './index.ts';

const errors = defineErrors('TEST', {
  DOWN: { code: 'unavailable', text: 'down', retry: 'later' },
  BROKEN: { code: 'internal', text: 'broken' },
  MAYBE: { code: 'deadline_exceeded', text: 'maybe', retry: 'unknownOutcome' },
  NOT_FOUND: { code: 'not_found', text: 'not there' },
});
const reason = (name: string) => ({ reason: name });
const constant = { backoff: { growth: 'constant', jitter: 'none', baseMs: 100 } } as const;

test('P1 without layers the work runs once, and its answer and its error pass through', async () => {
  const { policy: none } = policyWorld({});
  assert.equal(await none.run(async () => 7), 7);
  assert.equal(await none.run(() => 8), 8);
  const mine = new TypeError('mine');
  await assert.rejects(
    none.run(async () => {
      throw mine;
    }),
    mine,
  );
  await assert.rejects(
    none.run(() => {
      throw mine;
    }),
    mine,
  );
});

test('a retry waits, counts attempts and tells the delays to the work', async () => {
  const world = policyWorld({ retry: constant });
  const seen = watch(world.policy.run(world.work));
  world.jobs[0]?.reject(errors.DOWN());
  await world.runtime.advance(99);
  assert.equal(world.jobs.length, 1);
  await world.runtime.advance(20);
  assert.equal(world.jobs.length, 2);
  world.jobs[1]?.resolve('ok');
  await world.runtime.settle();
  assert.deepEqual(seen, { value: 'ok', done: true });
  assert.equal(world.policy.stats.retries, 1);
});

test('what may have happened is repeated only when the call may be; what the caller did wrong never is', async () => {
  for (const [error, idempotent, attempts] of [
    [errors.DOWN(), false, 3],
    [errors.MAYBE(), false, 1],
    [errors.MAYBE(), true, 3],
    [new TypeError('foreign'), false, 1],
    [new TypeError('foreign'), true, 3],
    [errors.NOT_FOUND(), true, 1],
    [errors.BROKEN(), true, 1],
  ] as const) {
    const world = policyWorld({ retry: constant });
    let calls = 0;
    const seen = watch(
      world.policy.run(
        async () => {
          calls++;
          throw error;
        },
        { idempotent },
      ),
    );
    await world.runtime.advance(1000);
    assert.equal(calls, attempts, `${error.message} ${idempotent}`);
    assert.equal(seen.error, error);
  }
});

test('who gives up during the wait for a retry hears so at once, with its own reason, and the work is not called again', async () => {
  const world = policyWorld({ retry: constant });
  const controller = new AbortController();
  const seen = watch(world.policy.run(world.work, { signal: controller.signal }));
  world.jobs[0]?.reject(errors.DOWN());
  await world.runtime.advance(50);
  controller.abort('no more');
  await world.runtime.settle();
  assert.deepEqual(seen, { error: 'no more', done: true });
  await world.runtime.advance(5000);
  assert.equal(world.jobs.length, 1);
  assert.equal(world.runtime.pendingTimers, 0);
});

test('who has given up before it begins is never worked for', async () => {
  const world = policyWorld({ retry: {} });
  await assert.rejects(world.policy.run(world.work, { signal: AbortSignal.abort('early') }), (it) => it === 'early');
  assert.equal(world.jobs.length, 0);
});

test('a time that is over already refuses the call before anything is admitted', async () => {
  const world = policyWorld({ bulkhead: { limit: 1 } });
  await assert.rejects(world.policy.run(world.work, { deadlineMs: 0 }), reason('SOUK_DEADLINE_EXCEEDED'));
  assert.equal(world.jobs.length, 0);
});

test('no retry is begun that could not end in time: the first error is told, not a timeout', async () => {
  const world = policyWorld({ deadlineMs: 150, retry: constant });
  const seen = watch(world.policy.run(world.work));
  await world.runtime.advance(60);
  const error = errors.DOWN();
  world.jobs[0]?.reject(error);
  await world.runtime.settle();
  assert.equal(seen.error, error);
});

test('the time that a server asks for is waited, unless it is too long', async () => {
  const world = policyWorld({ retry: constant });
  void world.policy.run(world.work).catch(() => {});
  world.jobs[0]?.reject(errors.DOWN({}, { afterMs: 1000 }));
  await world.runtime.advance(999);
  assert.equal(world.jobs.length, 1);
  await world.runtime.advance(130);
  assert.equal(world.jobs.length, 2);
  const tooLong = errors.DOWN({}, { afterMs: 60_000 });
  const result = policyWorld({ retry: constant }).policy.try(async () => {
    throw tooLong;
  });
  assert.deepEqual(await result, { ok: false, error: tooLong, outcome: 'failure', attempts: 1, stoppedBy: 'server' });
});

test('a thousand failures at once are repeated as often as the budget allows, for it is taken when a retry is scheduled', async () => {
  const world = policyWorld({ retry: { ...constant, maxAttempts: 2, budget: { ratio: 0.2, minPerSec: 0 } } });
  let calls = 0;
  const work = async () => {
    calls++;
    throw errors.DOWN();
  };
  const all = Array.from({ length: 1000 }, () => world.policy.try(work));
  await world.runtime.advance(1000);
  const stopped = (await Promise.all(all)).map((result) => (result.ok ? 'ok' : result.stoppedBy));
  assert.equal(calls, 1200);
  assert.equal(stopped.filter((why) => why === 'budget').length, 800);
});

test('an attempt that takes too long is answered at once, its signal aborts, and the next attempt gets a signal of its own', async () => {
  const world = policyWorld({ retry: constant, timeout: 200 });
  const seen = watch(world.policy.run(world.work, { idempotent: true }));
  await world.runtime.advance(220);
  assert.equal(world.jobs[0]?.signal.aborted, true);
  await world.runtime.advance(120);
  assert.equal(world.jobs.length, 2);
  assert.equal(world.jobs[1]?.signal.aborted, false);
  world.jobs[1]?.resolve('second');
  await world.runtime.settle();
  assert.equal(seen.value, 'second');
});

test('cooperative work is told to stop and waited for', async () => {
  const world = policyWorld({ timeout: { ms: 100, mode: 'cooperative' } });
  const seen = watch(world.policy.run(world.work));
  await world.runtime.advance(150);
  assert.equal(world.jobs[0]?.signal.aborted, true);
  assert.equal(seen.done, false);
  world.jobs[0]?.reject(world.jobs[0].signal.reason);
  await world.runtime.settle();
  assert.equal((seen.error as { reason: string }).reason, 'RESILIENCE_TIMED_OUT');
});

test('a signal is not aborted by an answer: a body that is still being read outlives its call', async () => {
  const world = policyWorld({ timeout: 100 });
  const run = world.policy.run(world.work);
  world.jobs[0]?.resolve('head');
  await run;
  await world.runtime.advance(1000);
  assert.equal(world.jobs[0]?.signal.aborted, false);
});

test('when the caller gives up it is no timeout, and the reason is the caller’s', async () => {
  const world = policyWorld({ timeout: 100, breaker: {} });
  const controller = new AbortController();
  const seen = watch(world.policy.run(world.work, { signal: controller.signal }));
  controller.abort('gone');
  await world.runtime.advance(500);
  assert.equal(seen.error, 'gone');
  assert.equal(world.jobs[0]?.signal.reason, 'gone');
  assert.equal(world.policy.stats.timeouts, 0);
  assert.equal(world.policy.breaker?.peek(500).calls, 0);
});

test('one call that times out aborts no other', async () => {
  const world = policyWorld({ timeout: 100, breaker: {} });
  void world.policy.run(world.work).catch(() => {});
  await world.runtime.advance(60);
  const second = watch(world.policy.run(world.work));
  await world.runtime.advance(60);
  assert.equal(world.jobs[0]?.signal.aborted, true);
  assert.equal(world.jobs[1]?.signal.aborted, false);
  world.jobs[1]?.resolve(1);
  await world.runtime.settle();
  assert.equal(second.value, 1);
});

test('a slot is held until the work settles, however its caller was answered', async () => {
  const world = policyWorld({ bulkhead: { limit: 1 }, timeout: 100 });
  void world.policy.run(world.work).catch(() => {});
  await world.runtime.advance(120);
  assert.equal(world.policy.bulkhead?.view(0).zombies, 1);
  for (let n = 0; n < 5; n++) await assert.rejects(world.policy.run(world.work), reason('RESILIENCE_BULKHEAD_FULL'));
  assert.equal(world.jobs.length, 1);
  world.jobs[0]?.reject(new Error('late'));
  await world.runtime.settle();
  assert.deepEqual(world.policy.bulkhead?.view(0), {
    limit: 1,
    active: 0,
    queued: 0,
    zombies: 0,
    overloaded: false,
    doubleReleases: 0,
  });
  void world.policy.run(world.work).catch(() => {});
  await world.runtime.advance(120);
  world.jobs[1]?.resolve('late as well');
  await world.runtime.settle();
  assert.equal(world.policy.bulkhead?.view(0).zombies, 0);
  assert.equal(world.policy.stats.late, 2);
  const next = world.policy.run(world.work);
  world.jobs[2]?.resolve('free again');
  assert.equal(await next, 'free again');
});

test('a newcomer does not overtake one that waits, nor push it out', async () => {
  const world = policyWorld({ bulkhead: { limit: 1, queueLimit: 1 } });
  void world.policy.run(world.work);
  const waiting = watch(world.policy.run(world.work));
  world.jobs[0]?.resolve(1);
  const newcomer = watch(world.policy.run(world.work));
  await world.runtime.settle();
  assert.equal(world.jobs.length, 2);
  world.jobs[1]?.resolve('waited');
  await world.runtime.settle();
  assert.equal(waiting.value, 'waited');
  assert.ok(newcomer.done === false || newcomer.error !== undefined);
});

test('one that waits and gives up frees its place, and is never worked for', async () => {
  const world = policyWorld({ bulkhead: { limit: 1, queueLimit: 1 } });
  void world.policy.run(world.work);
  const controller = new AbortController();
  const seen = watch(world.policy.run(world.work, { signal: controller.signal }));
  controller.abort('bored');
  await world.runtime.settle();
  assert.equal(seen.error, 'bored');
  assert.equal(world.policy.bulkhead?.queued, 0);
  world.jobs[0]?.resolve(1);
  await world.runtime.settle();
  assert.equal(world.jobs.length, 1);
});

test('one whose time is over in the queue is not worked for', async () => {
  const world = policyWorld({ bulkhead: { limit: 1, queueLimit: 5 } });
  void world.policy.run(world.work);
  const seen = watch(world.policy.run(world.work, { deadlineMs: 100 }));
  await world.runtime.advance(150);
  assert.equal((seen.error as { reason: string }).reason, 'SOUK_DEADLINE_EXCEEDED');
  world.jobs[0]?.resolve(1);
  await world.runtime.settle();
  assert.equal(world.jobs.length, 1);
});

test('P2 what bulkhead and limiter refuse does not open the breaker of a healthy target', async () => {
  const world = policyWorld({
    rateLimit: { limit: 5, burst: 5 },
    bulkhead: { limit: 1 },
    breaker: { minCalls: 2, consecutive: 2 },
  });
  void world.policy.run(world.work);
  for (let n = 0; n < 50; n++) await world.policy.try(world.work);
  assert.equal(world.policy.stats.refusals.bulkhead, 4);
  assert.equal(world.policy.stats.refusals.rate_limited, 46);
  assert.equal(world.policy.breaker?.peek(0).state, 'CLOSED');
});

test('the breaker sees attempts: three that failed are three failures, and what it refuses is not repeated', async () => {
  const world = policyWorld({ retry: constant, breaker: { consecutive: 3, openJitter: 0 } });
  const down = async () => {
    throw errors.DOWN();
  };
  const first = world.policy.try(down);
  await world.runtime.advance(1000);
  assert.equal((await first).attempts, 3);
  assert.equal(world.policy.breaker?.peek(1000).state, 'OPEN');
  const second = await world.policy.try(down);
  assert.deepEqual([second.ok, second.attempts, second.ok || second.outcome], [false, 1, 'rejected']);
  assert.equal(second.ok || (second.error as { retry: { afterMs: number } }).retry.afterMs > 3000, true);
});

test('a thousand callers that wait are refused one after the other when the breaker opens, without nesting', async () => {
  const world = policyWorld({ bulkhead: { limit: 1, queueLimit: 20_000 }, breaker: { consecutive: 1 } });
  const all = Array.from({ length: 20_000 }, () => world.policy.try(world.work));
  world.jobs[0]?.reject(errors.DOWN());
  const results = await Promise.all(all);
  assert.equal(world.jobs.length, 1);
  assert.equal(results.filter((one) => !one.ok && one.outcome === 'rejected').length, 19_999);
  assert.equal(world.policy.bulkhead?.active, 0);
});

test('a fallback answers for failures, and the failure counts all the same; callers’ faults pass', async () => {
  const world = policyWorld({ breaker: { consecutive: 2 } }, { fallback: { value: 'stale' } });
  const down = async () => {
    throw errors.DOWN();
  };
  assert.equal(await world.policy.run(down), 'stale');
  const result = await world.policy.try(down);
  assert.deepEqual([result.ok && result.value, result.ok && result.degraded], ['stale', true]);
  assert.equal(world.policy.breaker?.peek(0).state, 'OPEN');
  assert.equal(world.policy.stats.fallbacks, 2);
  const other = policyWorld({}, { fallback: { value: 'stale' } });
  await assert.rejects(
    other.policy.run(async () => {
      throw errors.NOT_FOUND();
    }),
    reason('TEST_NOT_FOUND'),
  );
});

test('a fallback that fails or takes too long leaves the error as it was', async () => {
  for (const run of [() => Promise.reject(new Error('also down')), () => new Promise<string>(() => {})]) {
    const world = policyWorld({}, { fallback: { run, timeoutMs: 50 } });
    const seen = watch(
      world.policy.run(async () => {
        throw errors.DOWN();
      }),
    );
    await world.runtime.advance(100);
    assert.equal((seen.error as { reason: string }).reason, 'TEST_DOWN');
    assert.equal(world.policy.stats.fallbacksFailed, 1);
  }
});

test('the last good answer of a key is given for as long as was said', async () => {
  const world = policyWorld({}, { fallback: { lastGoodMs: 1000 } });
  const down = async () => {
    throw errors.DOWN();
  };
  await world.policy.run(async () => 'good', { key: 'a' });
  assert.equal(await world.policy.run(down, { key: 'a' }), 'good');
  await assert.rejects(world.policy.run(down, { key: 'b' }), reason('TEST_DOWN'));
  await world.runtime.advance(1001);
  await assert.rejects(world.policy.run(down, { key: 'a' }), reason('TEST_DOWN'));
});

test('a listener that throws breaks no call', async () => {
  const listener = {
    onRetry: () => {
      throw new Error('listener');
    },
    onTransition: () => {
      throw new Error('listener');
    },
  };
  const world = policyWorld({ retry: constant, breaker: { consecutive: 1 } }, { listener });
  const seen = watch(world.policy.run(world.work));
  world.jobs[0]?.reject(errors.DOWN());
  await world.runtime.advance(500);
  assert.equal((seen.error as { reason: string }).reason, 'TEST_DOWN');
});

test('in the shadow everything passes, and what would have been refused is counted', async () => {
  const world = policyWorld({ mode: 'shadow', bulkhead: { limit: 1 }, breaker: { consecutive: 1 }, retry: constant });
  const results = await Promise.all(
    Array.from({ length: 3 }, () =>
      world.policy.try(async () => {
        throw errors.DOWN();
      }),
    ),
  );
  assert.ok(results.every((one) => !one.ok && one.outcome === 'failure' && one.attempts === 1));
  assert.equal(world.policy.stats.refusals.bulkhead, 2);
  assert.equal(world.policy.breaker?.peek(0).wouldOpen, 3);
});

test('P3 a change of the configuration keeps what the breaker knows; one that is wrong changes nothing', async () => {
  const world = policyWorld({ breaker: { consecutive: 1 } });
  await world.policy.try(async () => {
    throw errors.DOWN();
  });
  world.policy.configure({ breaker: { consecutive: 3 }, timeout: 100 });
  assert.equal(world.policy.breaker?.peek(0).state, 'OPEN');
  assert.throws(() => world.policy.configure({ breaker: { failureRate: 2 } }), reason('RESILIENCE_BAD_OPTION'));
  assert.deepEqual(world.policy.config, { breaker: { consecutive: 3 }, timeout: 100 });
  world.policy.configure({ mode: 'off', breaker: { consecutive: 3 } });
  assert.equal(await world.policy.run(async () => 1), 1);
});

test('twenty thousand calls leave no listener and no timer behind', async () => {
  const { policy: own, runtime } = policyWorld({ retry: {}, breaker: {}, bulkhead: { limit: 5 }, timeout: 100 });
  const { signal } = new AbortController();
  let [added, removed] = [0, 0];
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...all: Parameters<typeof add>) => {
    added++;
    add(...all);
  };
  signal.removeEventListener = (...all: Parameters<typeof remove>) => {
    removed++;
    remove(...all);
  };
  for (let n = 0; n < 20_000; n++) await own.run(async () => n, { signal });
  assert.deepEqual([added, removed], [20_000, 20_000]);
  await runtime.advance(1000);
  assert.equal(runtime.pendingTimers, 0);
});

test('the builder takes layers from the outside in; another order does not compile', () => {
  const { runtime } = policyWorld({});
  const built = policy('x', { runtime })
    .fallback({ value: 1 })
    .deadline(1000)
    .retry({})
    .bulkhead({ limit: 2 })
    .breaker({})
    .timeout(5)
    .build();
  assert.deepEqual(Object.keys(built.config), ['deadlineMs', 'retry', 'bulkhead', 'breaker', 'timeout']);
  // @ts-expect-error a retry stands outside the breaker
  assert.ok(policy('x', { runtime }).breaker({}).retry !== undefined);
  // @ts-expect-error a layer is added once
  assert.ok(policy('x', { runtime }).timeout(1).timeout !== undefined);
});

test('who reads its signal late finds it aborted, with the reason', async () => {
  const world = policyWorld({ timeout: 100 });
  const signals: AbortSignal[] = [];
  const seen = watch(
    world.policy.run(async (attempt) => {
      await world.runtime.timers.sleep(500);
      signals.push(attempt.signal);
    }),
  );
  await world.runtime.advance(600);
  assert.equal(signals[0]?.aborted, true);
  assert.equal(signals[0]?.reason, seen.error);
});

test('nothing waits in the wheel for calls and fallbacks that have ended', async () => {
  const runtime = virtualRuntime();
  const wheel = createTimerWheel(runtime);
  const own = createPolicy({
    ...{ name: 'x', runtime, wheel },
    config: { timeout: 100, deadlineMs: 500 },
    fallback: { run: async () => 'instead' },
  });
  assert.equal(await own.run(async () => 1), 1);
  assert.equal(
    await own.run(async () => {
      throw errors.DOWN();
    }),
    'instead',
  );
  assert.equal(wheel.size, 0);
});

test('the error of those who are refused says how long to stay away, as it is now', async () => {
  const world = policyWorld({ breaker: { consecutive: 1, openJitter: 0 } });
  const down = async () => {
    throw errors.DOWN();
  };
  await world.policy.try(down);
  const afterMs = async (): Promise<number | undefined> => {
    const result = await world.policy.try(down);
    return result.ok ? undefined : (result.error as { retry: { afterMs?: number } }).retry.afterMs;
  };
  assert.equal(await afterMs(), 5000);
  await world.runtime.advance(2000);
  assert.equal(await afterMs(), 3000);
});

test('a retry that is refused does not make believe that nothing has happened', async () => {
  const world = policyWorld({ retry: constant, breaker: { consecutive: 1 } });
  const maybe = errors.MAYBE();
  const seen = watch(world.policy.run(world.work, { idempotent: true }));
  world.jobs[0]?.reject(maybe);
  await world.runtime.advance(500);
  assert.equal(world.jobs.length, 1);
  assert.equal(seen.error, maybe);
});

test('what a policy of another process refused is no fault of it, and may be asked again later', async () => {
  const world = policyWorld({ breaker: { consecutive: 1 }, throttle: { minCalls: 1 } });
  const shed = resilienceErrors.SHED({ policy: 'server', why: 'busy' }, { afterMs: 10 });
  const result = await world.policy.try(async () => {
    throw shed;
  });
  assert.equal(result.ok || result.outcome, 'throttled');
  assert.equal(world.policy.breaker?.peek(0).state, 'CLOSED');
  assert.ok((world.policy.look().throttled ?? 0) >= 0);
});
