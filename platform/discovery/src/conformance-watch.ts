import assert from 'node:assert/strict';
import { conditionsOf, type RegistryCase, type Scene } from './conformance-scene.ts';
import { DRAINING, type Instance, STARTING, UP } from './instance.ts';

const registers = ['registers'] as const;

/** Time in which a driver that is wrong would have said something. Milliseconds. */
const QUIET_MS = 300;

const idsOf = (instances: readonly Instance[] | undefined): string[] => (instances ?? []).map(({ id }) => id);

/** No set was told that says the same as the one before. */
function assertNoRepeats(told: readonly (readonly Instance[])[]): void {
  for (const [at, set] of told.entries()) {
    if (at > 0) assert.notDeepEqual(set, told[at - 1], `set ${at} was told twice in a row`);
  }
}

async function moveThrough(scene: Scene): Promise<void> {
  const seen = scene.watch(scene.other());
  const registered = await scene.register(scene.registry, 'a', STARTING);
  await scene.until('starting', () => seen.find('a') !== undefined);
  assert.deepEqual(conditionsOf(seen.find('a')), STARTING);
  for (const conditions of [UP, DRAINING]) {
    await scene.done(registered.update(conditions));
    await scene.until(JSON.stringify(conditions), () => {
      const found = conditionsOf(seen.find('a'));
      return found?.ready === conditions.ready && found.terminating === conditions.terminating;
    });
    assert.deepEqual(conditionsOf(seen.find('a')), conditions);
  }
  await scene.done(registered.deregister());
  await scene.until('its end', () => seen.last?.length === 0);
  assertNoRepeats(seen.told);
}

/** Making known, and being told. */
export const watchCases: Readonly<{ [title: string]: RegistryCase }> = {
  'a service that nobody knows has no instances': {
    run: async (scene) => {
      const seen = scene.watch(scene.registry, `${scene.service}-unknown`);
      await scene.until('an answer', () => seen.last !== undefined);
      assert.deepEqual(seen.last, []);
    },
  },

  'an instance starts, is up, drains and is gone, and every watcher is told': {
    needs: registers,
    run: moveThrough,
  },

  'a watcher is told first what is there, then what changes': {
    needs: registers,
    run: async (scene) => {
      await scene.register(scene.registry, 'a');
      await scene.register(scene.registry, 'b');
      const other = scene.other();
      const early = scene.watch(other);
      await scene.until('two', () => early.last?.length === 2);
      const late = scene.watch(other);
      await scene.until('two for one who comes later', () => late.last !== undefined);
      assert.equal(late.told.length, 1);
      const third = await scene.register(scene.registry, 'c');
      for (const seen of [early, late]) await scene.until('three', () => seen.last?.length === 3);
      assert.deepEqual(
        idsOf(early.last),
        ['a', 'b', 'c'].map((id) => `${scene.service}-${id}`),
      );
      await scene.done(third.deregister());
      for (const seen of [early, late]) await scene.until('two again', () => seen.last?.length === 2);
      for (const seen of [early, late]) assertNoRepeats(seen.told);
    },
  },

  'the same set is not told twice, whatever happens to other services': {
    needs: registers,
    run: async (scene) => {
      const registered = await scene.register(scene.registry, 'a');
      const seen = scene.watch(scene.other());
      await scene.until('it', () => seen.last?.length === 1);
      await scene.done(registered.update(UP));
      const elsewhere = await scene.register(scene.registry, 'z', UP, { service: `${scene.service}-z` });
      await scene.done(elsewhere.update(DRAINING));
      await scene.world.pass(QUIET_MS);
      assert.equal(seen.told.length, 1);
    },
  },

  'two registries see what the other has': {
    needs: ['registers', 'crossProcess'],
    run: async (scene) => {
      const other = scene.other();
      const [here, there] = [scene.watch(scene.registry), scene.watch(other)];
      await scene.register(scene.registry, 'here');
      await scene.register(other, 'there');
      for (const seen of [here, there]) {
        await scene.until('both', () => seen.last?.length === 2);
        assert.deepEqual(idsOf(seen.last), [`${scene.service}-here`, `${scene.service}-there`]);
      }
    },
  },

  'everything an instance says of itself arrives as it was said': {
    needs: registers,
    run: async (scene) => {
      const seen = scene.watch(scene.other());
      const said = scene.registration('full', {
        address: 'orders-1.internal',
        port: 65_535,
        protocol: 'https',
        version: '2.1.0-rc.1+build.7',
        zone: 'eu-west-1a',
        weight: 40_000,
        tags: ['canary', 'a.b', 'größe=1, 2'],
        meta: { team: 'checkout', 'with-dash': 'x "quoted" \\ ü 漢', empty: '' },
      });
      const plain = scene.registration('plain', { address: '::1', weight: 0 });
      await scene.done(scene.registry.register(said, UP));
      await scene.done(scene.registry.register(plain, UP));
      await scene.until('both', () => seen.last?.length === 2);
      assert.deepEqual({ ...seen.find('full') }, { ...said, ...UP });
      assert.deepEqual({ ...seen.find('plain') }, { ...plain, ...UP });
    },
  },

  'an update is told though only conditions changed, and an instance that was deregistered stays away': {
    needs: registers,
    run: async (scene) => {
      const seen = scene.watch(scene.other());
      const registered = await scene.register(scene.registry, 'a');
      await scene.register(scene.registry, 'b');
      await scene.until('both', () => seen.last?.length === 2);
      await scene.done(registered.deregister());
      await scene.until('one', () => seen.last?.length === 1);
      await scene.done(registered.update(DRAINING));
      await scene.done(registered.deregister());
      await scene.world.pass(QUIET_MS);
      assert.deepEqual(idsOf(seen.last), [`${scene.service}-b`]);
    },
  },

  'of two runs of one instance the later counts, and the earlier has no effect any more': {
    needs: registers,
    run: async (scene) => {
      const other = scene.other();
      const seen = scene.watch(other);
      const before = scene.registration('a', { version: 'before' });
      const after = scene.registration('a', { version: 'after' });
      assert.ok(before.incarnation < after.incarnation);
      const earlier = await scene.done(scene.registry.register(before, UP));
      await scene.until('the earlier', () => seen.find('a')?.version === 'before');
      await scene.done(other.register(after, UP));
      await scene.until('the later', () => seen.find('a')?.version === 'after');
      await scene.done(earlier.update(DRAINING));
      await scene.done(earlier.deregister());
      // One that goes without having learnt of it.
      const unaware = await scene.register(scene.registry, 'b');
      const aware = scene.registration('b');
      await scene.done(other.register(aware, UP));
      await scene.done(unaware.deregister());
      await scene.world.pass(QUIET_MS);
      assert.equal(seen.last?.length, 2);
      assert.deepEqual({ ...seen.find('a') }, { ...after, ...UP });
      assert.deepEqual({ ...seen.find('b') }, { ...aware, ...UP });
    },
  },

  'what no repeat can help is refused': {
    run: async (scene) => {
      const refused = (more: object, conditions = UP) =>
        assert.rejects(scene.done(scene.registry.register(scene.registration('a', more), conditions)), {
          reason: 'DISCOVERY_REGISTRATION_REFUSED',
        });
      await refused({ port: 0 });
      await refused({ address: '0.0.0.0' });
      await refused({ id: 'with space' });
      await refused({ weight: 65_536 });
      await refused({ meta: { 'souk-x': '' } });
      await refused({}, { ready: true, serving: true, terminating: true });
    },
  },

  'a watch that is closed is told nothing more, and others of the service go on': {
    needs: registers,
    run: async (scene) => {
      const other = scene.other();
      const [closed, open] = [scene.watch(other), scene.watch(other)];
      for (const seen of [closed, open]) await scene.until('an answer', () => seen.last !== undefined);
      closed.watch.close();
      closed.watch.close();
      const before = closed.told.length;
      await scene.register(scene.registry, 'a');
      await scene.until('the other', () => open.last?.length === 1);
      await scene.world.pass(QUIET_MS);
      assert.equal(closed.told.length, before);
      open.watch.close();
      const again = scene.watch(other);
      await scene.until('a watch that is begun anew', () => again.last?.length === 1);
    },
  },

  'a registry that is closed tells nothing, registers nothing, and has taken out what it had': {
    needs: registers,
    run: async (scene) => {
      const other = scene.other();
      const elsewhere = scene.watch(other);
      const closing = scene.world.can.crossProcess ? scene.other() : scene.registry;
      const seen = scene.watch(closing);
      await scene.register(closing, 'a');
      await scene.until('it', () => seen.last?.length === 1);
      await scene.until('it elsewhere', () => elsewhere.last?.length === 1);
      await scene.done(closing.close());
      const before = seen.told.length;
      assert.equal(closing.health().state, 'closed');
      await assert.rejects(scene.done(closing.register(scene.registration('b'), UP)), { reason: 'DISCOVERY_CLOSED' });
      if (scene.world.can.crossProcess) await scene.until('its end', () => elsewhere.last?.length === 0);
      await scene.world.pass(QUIET_MS);
      assert.equal(seen.told.length, before);
    },
  },

  'a registry that answers says that it is connected': {
    run: async (scene) => {
      const seen = scene.watch(scene.registry);
      await scene.until('an answer', () => seen.last !== undefined);
      const health = scene.registry.health();
      assert.equal(health.state, 'connected');
      assert.equal(health.lastError, undefined);
      assert.ok(health.sinceMs >= 0);
    },
  },
};
