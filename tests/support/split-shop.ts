// Processes of a split shop, as its operator sees and steers them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ShopProcess } from './shop.ts';

export interface ProcessLine {
  readonly process: string;
  readonly services: readonly string[];
  readonly state: string;
  readonly pid: number;
  readonly restarts: number;
  readonly url: string;
}

export interface SplitShop {
  processes(): Promise<readonly ProcessLine[]>;
  /** Replaces the processes of a service; resolves when that is done. @returns what was said about it */
  restart(service: string): Promise<readonly string[]>;
  /** Waits until every process serves, a killed one as another. @param gone Its process id. @param timeoutMs @default 120000 */
  allReady(gone?: number, timeoutMs?: number): Promise<void>;
}

/** A machine at its limit takes long to start a process. */
const PATIENCE_MS = 120_000;

export function splitShop({ folder }: Pick<ShopProcess, 'folder'>): SplitShop {
  const ask = async (verb: string, path: string): Promise<Response> => {
    const { url } = JSON.parse(readFileSync(join(folder, 'supervisor.json'), 'utf8')) as { url: string };
    const token = readFileSync(join(folder, 'operator-token'), 'utf8').trim();
    return fetch(`${url}${path}`, { method: verb, headers: { authorization: `Bearer ${token}` } });
  };
  const processes = async () => (await (await ask('GET', '/processes')).json()) as ProcessLine[];
  return {
    processes,
    restart: async (service) => {
      const lines = (await (await ask('POST', `/restart/${service}`)).text()).trim().split('\n');
      const said = lines.map((line) => JSON.parse(line) as { step?: string; done?: true; error?: string });
      const failed = said.find(({ error }) => error !== undefined);
      if (failed !== undefined || said.at(-1)?.done !== true) throw new Error(`${service}: ${lines.join(' ')}`);
      return said.flatMap(({ step }) => step ?? []);
    },
    allReady: async (gone, timeoutMs = PATIENCE_MS) => {
      for (const untilMs = performance.now() + timeoutMs; ; await sleep(50)) {
        const all = await processes();
        if (all.every(({ state, pid }) => state === 'ready' && pid !== gone)) return;
        if (performance.now() > untilMs) throw new Error(`not all processes serve: ${JSON.stringify(all)}`);
      }
    },
  };
}
