import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, virtualRuntime } from '@souk/kernel';
import { createPolicyRegistry, type PolicyRules, PRESETS } from './index.ts';

const errors = defineErrors('TEST', { DOWN: { code: 'unavailable', text: 'down', retry: 'later' } });
const down = async () => {
  throw errors.DOWN();
};

function world(rules?: PolicyRules) {
  const runtime = virtualRuntime();
  return { runtime, registry: createPolicyRegistry({ runtime, ...(rules && { rules }) }) };
}

test('Y1 the same name is the same policy, with the preset of its kind', () => {
  const { registry } = world();
  const one = registry.policy('rpc:stock.Reserve', 'call');
  assert.equal(registry.policy('rpc:stock.Reserve', 'call'), one);
  assert.equal(registry.find('rpc:stock.Reserve'), one);
  assert.deepEqual(one.config, PRESETS.call);
  assert.throws(() => registry.find('rpc:nobody'), {
    reason: 'RESILIENCE_UNKNOWN_POLICY',
    message: /there are: rpc:stock\.Reserve/,
  });
});

test('rules are laid over the preset, the longer pattern last; null takes a layer away', () => {
  const { registry } = world({
    kinds: { call: { retry: { maxAttempts: 2 }, breaker: { minCalls: 10 } } },
    rules: {
      'rpc:stock.*': { retry: { maxAttempts: 4 }, timeout: 100 },
      'rpc:stock.Reserve': { breaker: null, timeout: 200 },
      'rpc:*': { retry: { idempotent: true, maxAttempts: 3 } },
    },
  });
  assert.deepEqual(registry.policy('rpc:stock.Reserve', 'call').config, {
    retry: { maxAttempts: 4, idempotent: true },
    timeout: 200,
  });
  assert.deepEqual(registry.policy('rpc:other.X', 'call').config, {
    retry: { maxAttempts: 3, idempotent: true },
    breaker: { minCalls: 10 },
  });
});

test('a layer that is null in the rules of a kind is not there', () => {
  const { registry } = world({ kinds: { call: { breaker: null, retry: null, bulkhead: { limit: 3 } } } });
  const { breaker, bulkhead } = registry.policy('rpc:x.Y', 'call');
  assert.deepEqual([breaker, bulkhead?.view(0).limit], [undefined, 3]);
});

test('Y2 what is set at run time wins, holds for policies to come, and can be taken back; what was learned stays', async () => {
  const { registry } = world({ kinds: { call: { breaker: { consecutive: 1 } } } });
  const one = registry.policy('rpc:a.X', 'call');
  await one.try(down);
  assert.deepEqual(registry.set('rpc:a.*', { timeout: 50 }), ['rpc:a.X']);
  assert.equal(one.config.timeout, 50);
  assert.equal(registry.policy('rpc:a.Y', 'call').config.timeout, 50);
  assert.equal(one.look().breaker?.state, 'OPEN');
  registry.configure({ kinds: { call: { breaker: { consecutive: 2 }, timeout: 10 } } });
  assert.equal(one.config.timeout, 50);
  assert.deepEqual(registry.set('rpc:a.*', null), ['rpc:a.X', 'rpc:a.Y']);
  assert.equal(one.config.timeout, 10);
  assert.deepEqual(registry.changes(), {});
});

test('Y3 a change that is wrong for one changes none, and says which option is wrong', () => {
  const { registry } = world({ kinds: { call: { bulkhead: { limit: 5 } }, http: {} } });
  const one = registry.policy('a', 'call');
  registry.policy('b', 'http');
  // Only where a limit is there already does a queue alone make sense.
  assert.throws(() => registry.set('*', { bulkhead: { queueLimit: 3 } as never }), {
    reason: 'RESILIENCE_BAD_OPTION',
    message: /bulkhead\.limit/,
  });
  assert.deepEqual(one.config, { bulkhead: { limit: 5 } });
  assert.deepEqual(registry.changes(), {});
});

test('Y3 a change that fits nothing yet is held to the presets, so that a policy to come can be made', () => {
  const { registry } = world();
  assert.throws(() => registry.set('rpc:later.*', { retry: { maxAtempts: 2 } as never }), {
    reason: 'RESILIENCE_BAD_OPTION',
    message: /maxAtempts/,
  });
  assert.deepEqual(registry.set('rpc:later.*', { timeout: 70 }), []);
  assert.equal(registry.policy('rpc:later.X', 'call').config.timeout, 70);
});

test('null set at run time takes a layer away, also after another change, and taking it back brings the layer back', () => {
  const { registry } = world({ kinds: { call: { retry: {}, breaker: { minCalls: 5, openMs: 700 } } } });
  const one = registry.policy('a', 'call');
  registry.set('a', { timeout: 10 });
  assert.deepEqual(registry.set('a', { retry: null, breaker: { openMs: null } } as never), ['a']);
  assert.deepEqual(one.config, { breaker: { minCalls: 5 }, timeout: 10 });
  assert.deepEqual(registry.changes(), { a: { timeout: 10, retry: null, breaker: { openMs: null } } });
  registry.set('a', null);
  assert.deepEqual(one.config, { retry: {}, breaker: { minCalls: 5, openMs: 700 } });
});

test('a dry run says what would change, refuses what would be refused, and changes nothing', () => {
  const { registry } = world({ kinds: { call: {} } });
  const one = registry.policy('a', 'call');
  assert.deepEqual(registry.set('a', { timeout: 10 }, { dryRun: true }), ['a']);
  assert.throws(() => registry.set('a', { timeout: -1 }, { dryRun: true }), { reason: 'RESILIENCE_BAD_OPTION' });
  assert.deepEqual([one.config, registry.changes()], [{}, {}]);
});

test('Y4 an ephemeral policy that is idle and closed is let go of after ten minutes; others stay', async () => {
  const { registry, runtime } = world({
    kinds: { call: { breaker: { consecutive: 1, openMs: 1e9, openMaxMs: 1e9 } } },
  });
  for (const name of ['idle', 'used', 'open', 'kept'])
    registry.policy(name, 'call', name === 'kept' ? {} : { ephemeral: true });
  await registry.policy('open', 'call').try(down);
  for (let minute = 0; minute < 12; minute++) {
    await runtime.advance(60_000);
    await registry.policy('used', 'call').run(async () => 1);
    registry.tend();
  }
  assert.deepEqual(
    registry.list().map(({ name }) => name),
    ['kept', 'open', 'used'],
  );
});

test('operators isolate with an owner, a reason and an end; what has no breaker says so', async () => {
  const { registry, runtime } = world({ kinds: { http: { breaker: {} }, email: {} } });
  const bank = registry.policy('http:bank', 'http');
  registry.isolate('http:bank', { owner: 'ada', reason: 'maintenance', ttlMs: 60_000 });
  await assert.rejects(
    bank.run(async () => 1),
    { reason: 'RESILIENCE_BREAKER_OPEN' },
  );
  registry.release('http:bank', 'ada');
  assert.equal(await bank.run(async () => 1), 1);
  registry.isolate('http:bank', { owner: 'ada', reason: 'forgotten', ttlMs: 60_000 });
  await runtime.advance(60_001);
  assert.equal(await bank.run(async () => 1), 1);
  registry.policy('email:smtp', 'email');
  assert.throws(() => registry.isolate('email:smtp', { owner: 'ada', reason: 'x', ttlMs: 1 }), {
    reason: 'RESILIENCE_NO_BREAKER',
  });
});

test('thresholds follow the traffic within their bounds', async () => {
  const { registry, runtime } = world({
    kinds: {
      http: {
        timeout: 1000,
        dynamic: { timeout: { factor: 3, minMs: 50, maxMs: 2000 }, bulkhead: { min: 4, max: 100 } },
        bulkhead: { limit: 50 },
      },
    },
  });
  const bank = registry.policy('http:bank', 'http');
  for (let n = 0; n < 200; n++) {
    const call = bank.run(() => runtime.timers.sleep(100));
    await runtime.advance(100);
    await call;
  }
  registry.tend();
  const { timeoutMs, limit } = {
    timeoutMs: bank.effective.timeout as { ms: number },
    limit: bank.effective.bulkhead?.limit,
  };
  assert.ok(timeoutMs.ms > 280 && timeoutMs.ms < 320, JSON.stringify(timeoutMs));
  assert.equal(limit, 4);
  assert.equal(bank.config.timeout, 1000, 'what was asked for stays as it was');
});

test('a view is data for people: counts, latencies, and reasons without what was sent', async () => {
  const { registry } = world({ kinds: { http: { breaker: { consecutive: 1 }, observe: true } } });
  await registry.policy('http:bank', 'http').try(async () => {
    throw new Error('card 4242 refused');
  });
  const [view] = registry.list();
  assert.equal(view?.breaker?.lastCause, 'Error');
  assert.equal(view?.counts.ended_failure, 1);
  assert.ok(!JSON.stringify(view).includes('4242'));
});
