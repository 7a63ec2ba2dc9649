// Runs the simulation on sources with a mistake in them, and says which seed noticed it.

import { registerHooks } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { Defect } from './defects.ts';

const { defect, upTo } = workerData as { readonly defect: Defect; readonly upTo: number };
const source = new URL('../src/', import.meta.url).href;
const missing: string[] = [];

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    const changes = defect.changes.filter(({ file }) => url === `${source}${file}`);
    if (changes.length === 0) return loaded;
    let text = String(loaded.source instanceof Uint8Array ? new TextDecoder().decode(loaded.source) : loaded.source);
    for (const { file, find, instead } of changes) {
      if (!text.includes(find)) missing.push(`${file} has no "${find}" any more: the defect must follow it`);
      text = text.replace(find, () => instead);
    }
    return { ...loaded, source: text };
  },
});

const { firstBroken } = await import('./run-seeds.ts');
parentPort?.postMessage(missing.length > 0 ? { missing } : { found: await firstBroken(upTo) });
