import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSoukError, type Runtime, seededRandom, type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import type { AdviceChannel } from './advice-outbox.ts';
import { createBreaker } from './breaker.ts';
import { resolveBreaker } from './breaker-options.ts';
import { type BreakerSharing, type CommandStore, createBreakerSharing } from './breaker-sharing.ts';
import type { Breaker } from './breaker-types.ts';
import type { LeaseStore } from './probe-lease.ts';
import type { SharedBreaker } from './shared-breaker.ts';

const KEY = 'stock';
// Rates only: what is tested is what many say, not how fast one finds out.
const settings = resolveBreaker({ consecutive: 0 });

interface Instance {
  readonly name: string;
  readonly sharing: BreakerSharing;
  readonly breaker: SharedBreaker;
  /** A breaker of the same chance that hears of nobody, and sees the same calls. */
  readonly alone: Breaker;
  /** Chance that a call of this instance fails. */
  failing: number;
  /** Calls in every so many steps. */
  pace: number;
  admitted: number;
  refused: number;
}

interface World {
  readonly runtime: VirtualRuntime;
  readonly instances: readonly Instance[];
  /** Loses, delays, doubles and reorders. */
  readonly channel: { loss: number; isGone: boolean };
  /** How long a call takes. */
  readonly calls: { takeMs: number };
  /** Each instance calls every 100 ms. */
  run(ms: number, onStep?: () => void): Promise<void>;
  states(): string[];
  stop(): Promise<void>;
}

async function world(
  options: {
    seed?: number;
    count?: number;
    leases?: LeaseStore | 'memory';
    commands?: CommandStore;
    isGone?: boolean;
  } = {},
): Promise<World> {
  const { seed = 1, count = 5 } = options;
  const runtime = virtualRuntime({ seed });
  const chance = seededRandom(seed + 1_000);
  const channel = { loss: 0.1, isGone: options.isGone ?? false };
  const calls = { takeMs: 20 };
  const ears = new Set<(message: unknown) => void>();
  const open: AdviceChannel = {
    publish: (message) => {
      if (channel.isGone) throw new Error('the bus is gone');
      const text = JSON.stringify(message);
      for (const ear of ears)
        for (let copies = chance.next() < 0.2 ? 2 : 1; copies > 0; copies--)
          if (chance.next() >= channel.loss) runtime.timers.after(chance.next() * 300, () => ear(JSON.parse(text)));
    },
    subscribe: (ear) => {
      if (channel.isGone) throw new Error('the bus is gone');
      ears.add(ear);
      return () => ears.delete(ear);
    },
  };
  const leases = options.leases === 'memory' ? memoryLeases(runtime) : options.leases;
  const instances: Instance[] = [];
  for (let n = 0; n < count; n++) {
    const name = `i${n}`;
    const random = seededRandom(seed * 100 + n);
    const own: Pick<Runtime, 'clock' | 'timers' | 'random'> = { clock: runtime.clock, timers: runtime.timers, random };
    const sharing = createBreakerSharing({
      ...{ instance: name, channel: open, runtime: own },
      ...(leases && { leases }),
      ...(options.commands && { commands: options.commands }),
    });
    const breaker = sharing.share(KEY, settings, (onTransition) =>
      createBreaker(settings, { random: seededRandom(n), onTransition }),
    );
    const alone = createBreaker(settings, { random: seededRandom(n) });
    await sharing.start();
    instances.push({ name, sharing, breaker, alone, failing: 0, pace: 1, admitted: 0, refused: 0 });
  }
  let step = 0;
  const call = (instance: Instance): void => {
    const outcome = chance.next() < instance.failing ? 'failure' : 'success';
    if (step % instance.pace !== 0) return;
    const permits = [instance.breaker, instance.alone].map(
      (one) => [one, one.tryAcquire(runtime.clock.monotonicMs())] as const,
    );
    if (permits[0]?.[1] === undefined) instance.refused++;
    else instance.admitted++;
    runtime.timers.after(calls.takeMs, () => {
      for (const [one, permit] of permits)
        if (permit !== undefined) one.settle(permit, outcome, runtime.clock.monotonicMs());
    });
  };
  return {
    ...{ runtime, instances, channel, calls },
    run: async (ms, onStep) => {
      for (let passed = 0; passed < ms; passed += 100) {
        for (const instance of instances) call(instance);
        step++;
        await runtime.advance(100);
        onStep?.();
      }
    },
    states: () => instances.map(({ breaker }) => breaker.peek(runtime.clock.monotonicMs()).state),
    stop: async () => {
      for (const { sharing } of instances) await sharing.stop();
    },
  };
}

function memoryLeases(runtime: VirtualRuntime): LeaseStore {
  const held = new Map<string, { holder: string; fence: number; untilMs: number }>();
  return {
    tryAcquire: async (key, holder, fence, ttlMs) => {
      const nowMs = runtime.clock.monotonicMs();
      const old = held.get(key);
      if (old !== undefined && nowMs < old.untilMs && (old.holder !== holder || fence <= old.fence)) return false;
      held.set(key, { holder, fence, untilMs: nowMs + ttlMs });
      return true;
    },
  };
}

const SEEDS = [1, 2, 3, 4, 5];
const at = <T>(list: readonly T[], index: number): T => list[index] as T;

test('S2 one instance with a broken network opens for itself alone, and is suspect', async () => {
  for (const seed of SEEDS) {
    const { run, instances, states, stop } = await world({ seed });
    await run(5_000);
    at(instances, 0).failing = 1;
    await run(20_000, () => assert.ok(!states().slice(1).includes('OPEN'), `seed ${seed}`));
    assert.ok(['OPEN', 'HALF_OPEN'].includes(at(states(), 0)));
    for (const { sharing, refused } of instances.slice(1)) {
      assert.equal(sharing.stats.advised, 0);
      assert.equal(refused, 0);
    }
    assert.ok(instances.some(({ sharing }) => sharing.view(KEY).verdict.suspects.includes('i0')));
    await stop();
  }
});

test('S2 a quorum makes others look harder, opens nothing by itself, and own successes outweigh it', async () => {
  for (const seed of SEEDS) {
    const { run, instances, states, stop } = await world({ seed });
    await run(5_000);
    for (const instance of instances.slice(0, 3)) instance.failing = 1;
    await run(8_000);
    assert.deepEqual(states().slice(3), ['CLOSED', 'CLOSED'], `seed ${seed}`);
    for (const { sharing } of instances.slice(3)) assert.ok(sharing.stats.advised > 0, `seed ${seed}`);
    await stop();
  }
});

test('S2 who is advised opens on a quarter of the sample, and its small finding adds nothing to the quorum', async () => {
  for (const seed of SEEDS) {
    const { run, instances, runtime, stop } = await world({ seed, count: 4 });
    const last = at(instances, 3);
    last.pace = 5;
    for (const instance of instances) instance.failing = 1;
    await run(4_000);
    assert.equal(last.alone.peek(runtime.clock.monotonicMs()).state, 'CLOSED', 'by itself it has not seen enough');
    assert.equal(last.breaker.peek(runtime.clock.monotonicMs()).state, 'OPEN', `seed ${seed}`);
    assert.equal(last.sharing.view(KEY).verdict.open, 3, `seed ${seed}`);
    await stop();
  }
});

test('advice ends one lifetime after the others fell silent, and 20 % more at most', async () => {
  const { run, instances, runtime, stop } = await world();
  await run(5_000);
  for (const instance of instances.slice(0, 3)) instance.failing = 1;
  await run(6_000);
  for (const { sharing } of instances.slice(0, 3)) await sharing.stop();
  await runtime.advance(300);
  await runtime.advance(7_800);
  for (const { sharing, breaker } of instances.slice(3)) {
    assert.equal(sharing.view(KEY).verdict.isOpen, false);
    assert.equal(sharing.view(KEY).isFollowing, false);
    assert.equal(breaker.peek(runtime.clock.monotonicMs()).advised, false);
  }
  await stop();
});

test('S1 without the channel each instance behaves as if alone, and no caller sees an error', async () => {
  const { run, instances, channel, states, stop, runtime } = await world({ leases: 'memory' });
  channel.isGone = true;
  const asAlone = (): void => {
    const nowMs = runtime.clock.monotonicMs();
    for (const { breaker, alone } of instances) assert.deepEqual(breaker.peek(nowMs), alone.peek(nowMs));
  };
  await run(8_000, asAlone);
  for (const instance of instances.slice(0, 4)) instance.failing = 1;
  await run(8_000, asAlone);
  assert.equal(at(states(), 4), 'CLOSED');
  assert.equal(at(instances, 4).refused, 0);
  assert.equal(at(instances, 4).sharing.stats.advised, 0);
  assert.ok(at(instances, 4).sharing.stats.publishFailures > 0);
  for (const state of states().slice(0, 4)) assert.notEqual(state, 'CLOSED');
  for (const instance of instances) instance.failing = 0;
  await run(40_000, asAlone);
  assert.deepEqual(new Set(states()), new Set(['CLOSED']));
  await stop();
  await runtime.advance(1_000);
  assert.equal(runtime.pendingTimers, 0);
});

test('S1 a channel that hangs is sent four messages and no more, and calls go on', async () => {
  const runtime = virtualRuntime();
  let sent = 0;
  const channel: AdviceChannel = {
    publish: () => {
      sent++;
      return new Promise(() => {});
    },
    subscribe: () => () => {},
  };
  const sharing = createBreakerSharing({ instance: 'a', channel, runtime });
  const breaker = sharing.share(KEY, settings, (onTransition) =>
    createBreaker(settings, { random: runtime.random, onTransition }),
  );
  await sharing.start();
  await runtime.advance(60_000);
  assert.equal(sent, 4);
  assert.ok(breaker.tryAcquire(runtime.clock.monotonicMs()));
  await sharing.stop();
  assert.equal(runtime.pendingTimers, 0);
});

test('S1 garbage from the channel is counted and changes nothing', async () => {
  const runtime = virtualRuntime();
  let ear: (message: unknown) => void = () => {};
  const channel: AdviceChannel = {
    publish: () => {},
    subscribe: (on) => {
      ear = on;
      return () => {};
    },
  };
  const sharing = createBreakerSharing({ instance: 'a', channel, runtime });
  await sharing.start();
  for (const message of [null, 1, '', [], {}, { kind: 'report' }, { kind: 'command', key: KEY, instance: 'b' }])
    ear(message);
  assert.equal(sharing.stats.garbage, 7);
  assert.deepEqual(sharing.keys(), []);
  await sharing.stop();
  ear({});
  assert.equal(sharing.stats.received, 7);
});

test('S4 at most one instance probes at a time while the lease store works', async () => {
  for (const seed of SEEDS) {
    const { run, instances, states, stop, calls } = await world({ seed, leases: 'memory' });
    await run(5_000);
    for (const instance of instances) instance.failing = 1;
    await run(3_000);
    // Probes that take long meet if anything lets them.
    calls.takeMs = 4_000;
    let rounds = 0;
    await run(60_000, () => {
      const probing = states().filter((state) => state === 'HALF_OPEN').length;
      rounds += probing;
      assert.ok(probing <= 1, `seed ${seed}: ${states()}`);
    });
    assert.ok(rounds > 0, `seed ${seed}: somebody probes`);
    for (const instance of instances) instance.failing = 0;
    await run(90_000);
    assert.deepEqual(new Set(states()), new Set(['CLOSED']), `seed ${seed}: all come back`);
    await stop();
  }
});

test('S4 without the lease store all probe by themselves, and come back', async () => {
  const leases = { tryAcquire: () => Promise.reject(new Error('gone')) };
  const { run, instances, states, stop } = await world({ leases });
  await run(5_000);
  for (const instance of instances) instance.failing = 1;
  await run(10_000);
  for (const instance of instances) instance.failing = 0;
  await run(40_000);
  assert.deepEqual(new Set(states()), new Set(['CLOSED']));
  assert.ok(instances.some(({ sharing }) => sharing.stats.leaseFailures > 0));
  await stop();
});

const order = { key: KEY, action: 'isolate', owner: 'ops', reason: 'maintenance', ttlMs: 30_000 } as const;

test('S5 a command acts on all instances within 2 s, is acknowledged by all, and ends with its time', async () => {
  for (const seed of SEEDS) {
    const { run, instances, states, stop } = await world({ seed });
    await run(3_000);
    await at(instances, 2).sharing.command(order, 0);
    await run(2_000);
    assert.deepEqual(new Set(states()), new Set(['FORCED_OPEN']), `seed ${seed}`);
    await run(2_000);
    const { acknowledged, missing } = at(instances, 2).sharing.view(KEY);
    assert.deepEqual([acknowledged, missing], [['i0', 'i1', 'i2', 'i3', 'i4'], []]);
    await run(27_000);
    assert.ok(!states().includes('FORCED_OPEN'), `seed ${seed}`);
    await stop();
  }
});

test('S5 release undoes what was ordered before, and a command against an old version is refused', async () => {
  const { run, instances, states, stop } = await world();
  await run(3_000);
  await at(instances, 0).sharing.command({ ...order, action: 'disable' }, 0);
  await run(2_000);
  assert.deepEqual(new Set(states()), new Set(['DISABLED']));
  await assert.rejects(at(instances, 1).sharing.command(order, 0), isSoukError);
  await at(instances, 1).sharing.command({ ...order, action: 'release' }, 1);
  await run(2_000);
  assert.deepEqual(new Set(states()), new Set(['CLOSED']));
  await stop();
});

test('S5 each command takes back what the one before did, and so does its end', async () => {
  const { run, instances, states, stop } = await world();
  await run(3_000);
  const [first, second] = [at(instances, 0).sharing, at(instances, 1).sharing];
  await first.command(order, 0);
  await run(2_000);
  await second.command({ ...order, action: 'metrics_only', ttlMs: 10_000 }, 1);
  await run(2_000);
  assert.deepEqual(new Set(states()), new Set(['METRICS_ONLY']));
  await run(9_000);
  assert.deepEqual(new Set(states()), new Set(['CLOSED']));
  await stop();
});

test('S3 a channel that was gone at the start is heard once it is there', async () => {
  const { run, instances, channel, stop } = await world({ isGone: true });
  await run(5_000);
  channel.isGone = false;
  await run(5_000);
  for (const { sharing } of instances) assert.equal(sharing.view(KEY).verdict.live, 5);
  await stop();
});

test('S5 with a store, of two commands against one version one is refused, and a new instance learns the other', async () => {
  const kept = new Map<string, Parameters<CommandStore['save']>[0]>();
  const commands: CommandStore = {
    load: async () => [...kept.values()],
    save: async (command, expectedVersion) => {
      if ((kept.get(command.key)?.version ?? 0) !== expectedVersion) return false;
      kept.set(command.key, command);
      return true;
    },
  };
  const one = await world({ commands, count: 2 });
  one.channel.isGone = true;
  const given = await Promise.allSettled(one.instances.map(({ sharing }) => sharing.command(order, 0)));
  assert.deepEqual(given.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  await one.run(3_000);
  assert.deepEqual(one.states(), ['FORCED_OPEN', 'FORCED_OPEN']);
  await one.stop();
  const other = await world({ commands, count: 1 });
  await other.run(100);
  assert.deepEqual(other.states(), ['FORCED_OPEN']);
  await other.stop();
});
