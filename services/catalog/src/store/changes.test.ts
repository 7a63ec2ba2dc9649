import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootContext, virtualRuntime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { createChanges } from './changes.ts';

/** A database whose sum of changes is set by hand, and which answers when it is told to. */
function world(seenWithinMs = 2_000) {
  const runtime = virtualRuntime();
  const ctx = rootContext({ runtime });
  const asked: PromiseWithResolvers<void>[] = [];
  let sum = 0;
  let forgotten = 0;
  const query = async () => {
    const answer = Promise.withResolvers<void>();
    asked.push(answer);
    await answer.promise;
    return { rows: [{ changes: String(sum) }], rowCount: 1 };
  };
  const changes = createChanges({
    db: { at: () => ({ query }) } as unknown as Database,
    clock: runtime.clock,
    seenWithinMs,
    onChange: () => forgotten++,
  });
  return {
    changes,
    runtime,
    see: () => changes.see(ctx),
    asked,
    write: () => sum++,
    forgotten: () => forgotten,
    /** Sees, and lets the database answer what it is asked. */
    look: async () => {
      const before = asked.length;
      const seeing = changes.see(ctx);
      for (const answer of asked.slice(before)) answer.resolve();
      await seeing;
    },
  };
}

test('a change of another process is seen within the time given', async () => {
  const { look, write, forgotten, runtime, asked } = world();
  await look();
  const before = forgotten();
  write();
  await runtime.advance(999);
  await look();
  assert.deepEqual([forgotten(), asked.length], [before, 1]);
  await runtime.advance(1);
  await look();
  assert.deepEqual([forgotten(), asked.length], [before + 1, 2]);
  await runtime.advance(1_000);
  await look();
  assert.deepEqual([forgotten(), asked.length], [before + 1, 3], 'nothing is forgotten when nothing changed');
});

test('a change of this process is seen at once', () => {
  const { changes, forgotten } = world();
  changes.made();
  assert.equal(forgotten(), 1);
});

test('one caller asks, and the others wait only when it is high time', async () => {
  const { see, look, runtime, asked } = world();
  await look();
  await runtime.advance(1_500);
  const asking = see();
  await see();
  assert.equal(asked.length, 2);
  await runtime.advance(500);
  let waited = false;
  const waiting = see().then(() => {
    waited = true;
  });
  await runtime.advance(0);
  assert.equal(waited, false);
  asked[1]?.resolve();
  await Promise.all([asking, waiting]);
  assert.equal(asked.length, 2);
});

test('when the one who asks fails, those who wait ask themselves', async () => {
  const { see, asked, runtime } = world();
  const failing = see();
  const waiting = see();
  const failed = assert.rejects(failing, /left/);
  asked[0]?.reject(new Error('left'));
  await failed;
  await runtime.advance(0);
  asked[1]?.resolve();
  await waiting;
});

test('with no time given every caller asks', async () => {
  const { look, asked } = world(0);
  await look();
  await look();
  assert.equal(asked.length, 2);
});
