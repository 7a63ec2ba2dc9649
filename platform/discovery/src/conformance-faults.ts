import assert from 'node:assert/strict';
import { conditionsOf, isOut, type RegistryCase, type Scene } from './conformance-scene.ts';
import { DRAINING, UP } from './instance.ts';

/** What breaks, and comes back by itself. */
export const faultCases: Readonly<{ [title: string]: RegistryCase }> = {
  'a process that dies without a good-bye is not offered any more, and its next run is': {
    needs: ['registers', 'crossProcess'],
    faults: ['kill'],
    run: async (scene) => {
      const doomed = scene.other();
      const seen = scene.watch(scene.registry);
      await scene.register(scene.registry, 'stays');
      await scene.register(doomed, 'dies');
      await scene.until('both', () => seen.last?.length === 2);
      await scene.world.kill?.(doomed);
      await scene.until('its end', () => isOut(seen.find('dies')));
      await scene.register(scene.other(), 'dies');
      await scene.until('its next run', () => seen.find('dies')?.ready === true);
      assert.deepEqual(conditionsOf(seen.find('stays')), UP);
    },
  },

  'an instance that says nothing but that it lives stays': {
    needs: ['registers'],
    faults: ['kill'],
    run: async (scene) => {
      const doomed = scene.other();
      const seen = scene.watch(scene.other());
      await scene.register(scene.registry, 'a');
      await scene.register(doomed, 'b');
      await scene.until('both', () => seen.last?.length === 2);
      await scene.world.kill?.(doomed);
      // So long as it takes for one to expire that does not say it.
      await scene.until('the end of the other', () => isOut(seen.find('b')));
      for (const set of seen.told) {
        const found = set.find(({ id }) => id === `${scene.service}-a`);
        if (found !== undefined) assert.deepEqual(conditionsOf(found), UP);
      }
      assert.notEqual(seen.find('a'), undefined);
    },
  },

  'a registry that was out of reach is told what changed meanwhile, and tells it': {
    needs: ['registers'],
    faults: ['interrupt', 'restore'],
    run: async (scene) => {
      const seen = scene.watch(scene.other());
      const registered = await scene.register(scene.registry, 'a');
      await scene.until('it', () => seen.last?.length === 1);
      const before = scene.registry.health().state;
      assert.equal(before, 'connected');
      await scene.world.interrupt?.();
      await scene.until('the loss', () => scene.registry.health().state === 'connecting');
      assert.notEqual(scene.registry.health().lastError, undefined);
      // Neither waits for ever.
      const registering = scene.registry.register(scene.registration('b'), UP);
      await scene.done(Promise.all([registered.update(DRAINING), registering]));
      assert.deepEqual(conditionsOf(seen.find('a')), UP);
      await scene.world.restore?.();
      await scene.until('what changed', () => seen.find('a')?.terminating === true && seen.find('b')?.ready === true);
      await scene.until('a connection', () => scene.registry.health().state === 'connected');
      assert.equal(scene.registry.health().lastError, undefined);
      await scene.done(registered.deregister());
      await scene.until('that watches go on', () => seen.last?.length === 1);
    },
  },

  'a registry that comes back without its memory has all registrations again, and watches go on': {
    needs: ['registers'],
    faults: ['loseMemory'],
    run: async (scene) => {
      const other = scene.other();
      const seen = scene.watch(other);
      const drains = await scene.register(scene.registry, 'a');
      await scene.register(scene.registry, 'b');
      await scene.register(other, 'c');
      await scene.done(drains.update(DRAINING));
      await scene.until('all', () => seen.last?.length === 3 && seen.find('a')?.terminating === true);
      for (let times = 0; times < 2; times++) {
        await scene.world.loseMemory?.();
        const fresh = scene.watch(scene.other());
        await scene.until('all again', () => fresh.last?.length === 3);
        assert.deepEqual(conditionsOf(fresh.find('a')), DRAINING);
        await scene.until('all again where they were watched', () => seen.last?.length === 3);
      }
      await goOn(scene, seen);
    },
  },

  'the earlier run of an instance does not come back after the registry has lost its memory': {
    needs: ['registers', 'crossProcess'],
    faults: ['loseMemory'],
    run: async (scene) => {
      const other = scene.other();
      const seen = scene.watch(scene.other());
      const before = scene.registration('a', { version: 'before' });
      const after = scene.registration('a', { version: 'after' });
      await scene.done(scene.registry.register(before, UP));
      await scene.done(other.register(after, UP));
      await scene.until('the later', () => seen.find('a')?.version === 'after');
      await scene.world.loseMemory?.();
      await scene.register(scene.registry, 'b');
      await scene.until('the later again', () => seen.find('a')?.version === 'after' && seen.find('b') !== undefined);
    },
  },
};

async function goOn(scene: Scene, seen: ReturnType<Scene['watch']>): Promise<void> {
  const late = await scene.register(scene.registry, 'd');
  await scene.until('another', () => seen.last?.length === 4);
  await scene.done(late.deregister());
  await scene.until('its end', () => seen.last?.length === 3);
}
