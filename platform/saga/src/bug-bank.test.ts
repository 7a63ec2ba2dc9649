import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Defect, defects } from '../test/defects.ts';

/** Seeds in which a mistake must show. */
const UP_TO = 1_000;

interface Answer {
  readonly missing?: readonly string[];
  readonly found?: { readonly seed: number; readonly what: string };
}

const search = (defect: Defect): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('../test/bug-bank-worker.ts', import.meta.url), {
      workerData: { defect, upTo: UP_TO },
    });
    worker.once('message', resolve);
    worker.once('error', reject);
  });

describe('the simulation notices', () => {
  for (const defect of defects) {
    test(defect.name, async (t) => {
      const { missing = [], found } = await search(defect);
      assert.deepEqual(missing, []);
      assert.ok(found !== undefined, `not noticed in ${UP_TO} seeds`);
      t.diagnostic(`found by seed ${found.seed}: ${found.what}`);
    });
  }
});
