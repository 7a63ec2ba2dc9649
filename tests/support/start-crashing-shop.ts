// A shop of `crashing-shop.ts`, and a test that tells it where to die next.

import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CrashPoint, writePoint } from './crash-point.ts';
import { type ShopProcess, type StartShopOptions, startShop, topology } from './shop.ts';
import { repository, serversOf } from './shop-process.ts';
import { splitShop } from './split-shop.ts';

const PATIENCE_MS = 60_000;

export interface CrashingShop {
  readonly shop: ShopProcess;
  /** Resolves when all processes know where one of them dies next: at once when it gets there, and once. */
  arm(point: CrashPoint): Promise<Armed>;
}

export interface Armed {
  /** Resolves when the process has died. */
  readonly death: Promise<void>;
  /** Resolves when the shop is whole again: started by us, or a part of it by its supervisor. */
  revive(): Promise<void>;
}

export async function startCrashingShop(options: Pick<StartShopOptions, 'args'>): Promise<CrashingShop> {
  const entry = join(repository, 'tests', 'support', 'crashing-shop.ts');
  const shop = await startShop({ ...options, entry });
  let round = 0;

  const arm = async (point: CrashPoint): Promise<Armed> => {
    writePoint(shop.folder, { ...point, round: ++round });
    const pids = topology === 'split' ? serversOf(shop.pid) : [shop.pid];
    for (const pid of pids) process.kill(pid, 'SIGUSR2');
    await until(() => {
      const armed = shop.output().match(new RegExp(`armed ${round}$`, 'gm'))?.length ?? 0;
      return armed === pids.length ? undefined : `${armed} of ${pids.length} processes are armed`;
    });
    return topology === 'split' ? oneOfMany(shop, point) : theOnlyOne(shop);
  };
  return { shop, arm };
}

function theOnlyOne(shop: ShopProcess): Armed {
  const death = shop.exit.then(({ code, signal }) => {
    if (signal !== 'SIGKILL') throw new Error(`the shop ended with ${code ?? signal}`);
  });
  return { death, revive: () => shop.restart() };
}

async function oneOfMany(shop: ShopProcess, { at, caller = at }: CrashPoint): Promise<Armed> {
  const { processes, allReady } = splitShop(shop);
  const restartsOf = async () => new Map((await processes()).map(({ process: name, restarts }) => [name, restarts]));
  const before = await restartsOf();
  const ended = async () => {
    const now = await restartsOf();
    return [...now].flatMap(([name, restarts]) => Array(restarts - (before.get(name) ?? 0)).fill(name) as string[]);
  };
  const wanted = `${caller}-1`;
  const check = (names: readonly string[]) => {
    if (names.length !== 1 || names[0] !== wanted)
      throw new Error(`${wanted} should have died, once, and it was ${names.join(', ') || 'nobody'}`);
  };
  const death = until(async () => ((await ended()).length > 0 ? undefined : `${wanted} lives`)).then(async () =>
    check(await ended()),
  );
  // Awaited later: meanwhile a failure of it is nobody's fault.
  death.catch(() => {});
  return {
    death,
    revive: async () => {
      await allReady(undefined, PATIENCE_MS);
      check(await ended());
    },
  };
}

/** @param look Says what is missing. */
async function until(look: () => string | undefined | Promise<string | undefined>): Promise<void> {
  for (const untilMs = performance.now() + PATIENCE_MS; ; await sleep(20)) {
    const missing = await look();
    if (missing === undefined) return;
    if (performance.now() > untilMs) throw new Error(missing);
  }
}
