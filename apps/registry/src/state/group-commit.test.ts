import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import { createGroupCommit, type Journal } from './group-commit.ts';
import { createRevisions } from './revisions.ts';

function setUp(journal?: Journal) {
  const runtime = virtualRuntime();
  const revisions = createRevisions(runtime);
  const commits = createGroupCommit({ runtime, revisions, log: silentLogger, delayMs: 5, journal });
  return { runtime, revisions, commits };
}

test('changes that come together are made together, after the delay, in order', async () => {
  const { runtime, revisions, commits } = setUp();
  const made: number[] = [];
  const first = commits.run((change) => made.push(change.rev));
  await runtime.advance(3);
  const second = commits.run((change) => made.push(change.rev));
  await runtime.advance(1);
  assert.deepEqual(made, []);
  await runtime.advance(1);
  await Promise.all([first, second]);
  assert.deepEqual(made, [2, 3]);
  assert.equal(revisions.current, 3);
});

test('a change that is refused takes no revision and does not stop its neighbours', async () => {
  const { runtime, revisions, commits } = setUp();
  const bad = commits.run(() => {
    throw new Error('no');
  });
  const good = commits.run((change) => change.rev);
  const [badly, well] = [assert.rejects(bad, /no/), good];
  await runtime.advance(5);
  await badly;
  assert.equal(await well, 2);
  assert.equal(revisions.current, 2);
});

test('nobody is answered before the disk has it, and one sync serves a group', async () => {
  const disk = Promise.withResolvers<void>();
  let syncs = 0;
  const lines: unknown[] = [];
  const { runtime, commits } = setUp({
    append: (rev, entries) => void lines.push([rev, ...entries]),
    sync: () => {
      syncs += 1;
      return disk.promise;
    },
  });
  let answered = 0;
  const changes = ['a', 'b'].map((name) =>
    commits
      .run((change) => {
        assert.ok(change.rev > 1);
        change.log('kv', name);
      })
      .then(() => {
        answered += 1;
      }),
  );
  await runtime.advance(5);
  assert.deepEqual(lines, [
    [2, ['kv', 'a']],
    [3, ['kv', 'b']],
  ]);
  assert.equal(syncs, 1);
  assert.equal(answered, 0);
  disk.resolve();
  await Promise.all(changes);
  assert.equal(answered, 2);
});

test('when the disk refuses, writers are told, and changes are taken again a second later', async () => {
  let broken = true;
  const { runtime, commits } = setUp({
    append: () => {},
    sync: async () => {
      if (broken) throw new Error('ENOSPC');
    },
  });
  const lost = assert.rejects(
    commits.run((change) => change.rev),
    { reason: 'REGISTRY_NOT_WRITABLE' },
  );
  await runtime.advance(5);
  await lost;
  await assert.rejects(
    commits.run(() => 1),
    { reason: 'REGISTRY_NOT_WRITABLE' },
  );
  broken = false;
  await runtime.advance(1000);
  const again = commits.run(() => 1);
  await runtime.advance(5);
  assert.equal(await again, 1);
});

test('a registry that stops makes the changes it has taken, and takes no more', async () => {
  const { commits } = setUp();
  const taken = commits.run((change) => change.rev);
  await commits.close();
  assert.equal(await taken, 2);
  await assert.rejects(
    commits.run(() => 1),
    { reason: 'REGISTRY_STOPPING' },
  );
});
