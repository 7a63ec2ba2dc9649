import { type TestContext, test } from 'node:test';
import { deliveryCases } from './conformance-delivery.ts';
import { faultCases } from './conformance-faults.ts';
import { flowCases } from './conformance-flow.ts';
import { requestCases } from './conformance-requests.ts';
import { type BusCase, type BusWorld, createScene } from './conformance-scene.ts';

export type { BusWorld } from './conformance-scene.ts';

const CASES: Readonly<Record<string, BusCase>> = { ...deliveryCases, ...flowCases, ...faultCases, ...requestCases };

/**
 * What every bus does. Call it from a test file of the implementation. Cases that need what the bus cannot do, by its `can`, or what
 * the world does not offer, are skipped and say why.
 *
 * @param name Goes before the name of each case.
 * @param makeWorld A world of its own for each case: no event or subscription of another is in it. Its `close` runs when the case has
 *   ended and all its clients are closed.
 */
export function busSuite(name: string, makeWorld: () => Promise<BusWorld>): void {
  for (const [title, busCase] of Object.entries(CASES)) {
    test(`${name}: ${title}`, (t) => runCase(t, busCase, makeWorld));
  }
}

async function runCase(t: TestContext, busCase: BusCase, makeWorld: () => Promise<BusWorld>): Promise<void> {
  const scene = createScene(await makeWorld());
  try {
    const { can } = scene.bus;
    const missing =
      busCase.needs?.find((need) => !can[need]) ?? busCase.faults?.find((fault) => scene.world[fault] === undefined);
    if (missing !== undefined) t.skip(`this bus, or its world, has no ${missing}`);
    else await busCase.run(scene);
  } finally {
    await scene.close();
  }
}
