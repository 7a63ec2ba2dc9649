import { type TestContext, test } from 'node:test';
import { faultCases } from './conformance-faults.ts';
import { createScene, type RegistryCase, type RegistryWorld } from './conformance-scene.ts';
import { watchCases } from './conformance-watch.ts';

export type { RegistryCapabilities, RegistryWorld } from './conformance-scene.ts';

const CASES: Readonly<Record<string, RegistryCase>> = { ...watchCases, ...faultCases };

/**
 * What every registry does. Call it from a test file of the driver. Cases that need what the driver cannot do, by `world.can`, or what the
 * world does not offer, are skipped and say why.
 *
 * @param name Goes before the name of each case.
 * @param makeWorld A world of its own for each case: no instance of another is in it, unless under other services. Its `close` runs when
 *   the case has ended and all its registries are closed.
 */
export function registrySuite(name: string, makeWorld: () => Promise<RegistryWorld>): void {
  for (const [title, registryCase] of Object.entries(CASES)) {
    test(`${name}: ${title}`, (t) => runCase(t, registryCase, makeWorld));
  }
}

async function runCase(
  t: TestContext,
  registryCase: RegistryCase,
  makeWorld: () => Promise<RegistryWorld>,
): Promise<void> {
  const scene = createScene(await makeWorld());
  try {
    const { can } = scene.world;
    const missing =
      registryCase.needs?.find((need) => !can[need]) ??
      registryCase.faults?.find((fault) => scene.world[fault] === undefined);
    if (missing !== undefined) t.skip(`this registry, or its world, has no ${missing}`);
    else await registryCase.run(scene);
  } finally {
    await scene.close();
  }
}
