import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Logger, silentLogger } from '@souk/kernel';
import fc from 'fast-check';
import type { Persistent } from '../state/commits.ts';
import { openDataFolder } from './data-folder.ts';
import { lockFolder } from './folder-lock.ts';
import { openJournal, restore } from './journal.ts';
import { decodeLog, encodeRecord } from './records.ts';

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'souk-registry-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A list that remembers every entry, so that one made twice or left out shows. */
function createTally() {
  const entries: unknown[] = [];
  const persistent: Persistent = {
    name: 'tally',
    save: () => [...entries],
    load: (data) => void entries.push(...(data as unknown[])),
    replay: (entry) => void entries.push(entry),
  };
  return { entries, persistent };
}

async function open(folder: string, options: { readonly log?: Logger; readonly snapshotBytes?: number } = {}) {
  const { log = silentLogger, snapshotBytes = 1_000_000 } = options;
  const tally = createTally();
  const data = await openDataFolder(folder, log);
  const rev = await restore(data, [tally.persistent], log);
  let revision = rev ?? 1;
  const journal = await openJournal({
    ...{ folder: data, log, persistents: [tally.persistent], snapshotBytes },
    revision: () => revision,
  });
  const add = async (entry: unknown): Promise<void> => {
    revision += 1;
    tally.entries.push(entry);
    journal.append(revision, [['tally', entry]]);
    await journal.sync();
  };
  return { entries: tally.entries, rev, journal, add, revision: () => revision };
}

test('what was synced is there after a crash, and revisions leave a gap', () =>
  inFolder(async (folder) => {
    const first = await open(folder);
    assert.equal(first.rev, undefined);
    await first.add('a');
    await first.add('b');
    const second = await open(folder);
    assert.deepEqual(second.entries, ['a', 'b']);
    assert.ok((second.rev ?? 0) > first.revision() + 1000);
    await second.journal.close();
  }));

test('after a stop in peace the next start reads one file, and revisions go on', () =>
  inFolder(async (folder) => {
    const first = await open(folder);
    await first.add('a');
    await first.journal.close();
    const second = await open(folder);
    assert.deepEqual(second.entries, ['a']);
    assert.equal(second.rev, first.revision() + 1);
    await second.journal.close();
  }));

test('however the log is cut off, everything before is there, and nothing is made up', () =>
  inFolder(async (folder) => {
    const records = ['a', 'ü', 'c'].map((entry, at) => ({ rev: at, entries: [['tally', entry] as const] }));
    const bytes = Buffer.from(records.map(encodeRecord).join(''));
    const ends = records.map((_record, at) =>
      Buffer.byteLength(
        records
          .slice(0, at + 1)
          .map(encodeRecord)
          .join(''),
      ),
    );
    for (let length = 0; length <= bytes.length; length += 1) {
      const { records: found, state } = decodeLog(bytes.subarray(0, length));
      const whole = ends.filter((end) => end <= length).length;
      assert.deepEqual(found, records.slice(0, whole));
      assert.equal(state, length === 0 || ends.includes(length) ? 'whole' : 'torn');
    }
    const first = await open(folder);
    await first.add('a');
    await first.add('b');
    await first.journal.sync();
    const [name = ''] = (await readdir(folder)).filter((one) => one.startsWith('changes.'));
    const path = join(folder, name);
    await truncate(path, (await readFile(path)).length - 3);
    const second = await open(folder);
    assert.deepEqual(second.entries, ['a']);
    await second.journal.close();
  }));

test('no bytes of any kind break the reader', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(100), (noise, at) => {
      const good = encodeRecord({ rev: 1, entries: [['tally', 'a']] });
      const bytes = Buffer.concat([Buffer.from(good), Buffer.from(noise)]);
      decodeLog(bytes);
      const flipped = Buffer.from(good);
      const index = at % flipped.length;
      flipped[index] = (flipped[index] as number) ^ 0x55;
      assert.equal(decodeLog(flipped).records.length, 0);
    }),
  );
});

test('a log that is broken in the middle is set aside and said so; what came before is kept', () =>
  inFolder(async (folder) => {
    const first = await open(folder);
    for (const entry of ['a', 'b', 'c']) await first.add(entry);
    const [name = ''] = (await readdir(folder)).filter((one) => one.startsWith('changes.'));
    const text = await readFile(join(folder, name), 'utf8');
    await writeFile(join(folder, name), text.replace('"b"', '"x"'));
    const said: string[] = [];
    const second = await open(folder, { log: { ...silentLogger, error: (message) => void said.push(message) } });
    assert.deepEqual(second.entries, ['a']);
    assert.equal(said.length, 1);
    assert.ok((await readdir(folder)).some((one) => one.endsWith('.broken-1')));
    await second.journal.close();
  }));

test('a broken snapshot is set aside, and the registry starts', () =>
  inFolder(async (folder) => {
    const first = await open(folder);
    await first.add('a');
    await first.journal.close();
    await appendFile(join(folder, 'snapshot.json'), 'x');
    const said: string[] = [];
    const second = await open(folder, { log: { ...silentLogger, error: (message) => void said.push(message) } });
    assert.equal(said.length, 1);
    await second.add('b');
    await second.journal.close();
    const third = await open(folder);
    assert.ok(third.entries.includes('b'));
    await third.journal.close();
  }));

test('when the log is long all state is written anew, and nothing is left out or made twice', () =>
  inFolder(async (folder) => {
    const first = await open(folder, { snapshotBytes: 300 });
    const expected: string[] = [];
    for (let count = 0; count < 200; count += 1) {
      const entry = `entry ${count}`;
      expected.push(entry);
      // Some wait for the disk, some come while it works.
      const added = first.add(entry);
      if (count % 3 === 0) await added;
      if (count % 50 === 25) {
        await added;
        const second = createTally();
        await restore(await openDataFolder(folder, silentLogger), [second.persistent], silentLogger);
        assert.deepEqual(second.entries, expected);
      }
    }
    await first.journal.sync();
    const numbers = (await readdir(folder)).filter((one) => one.startsWith('changes.'));
    assert.ok(numbers.length <= 3, numbers.join(' '));
    const third = createTally();
    await restore(await openDataFolder(folder, silentLogger), [third.persistent], silentLogger);
    assert.deepEqual(third.entries, expected);
    await first.journal.close();
  }));

test('a folder has one registry', () =>
  inFolder(async (folder) => {
    const release = await lockFolder(folder);
    await assert.rejects(lockFolder(folder), { reason: 'REGISTRY_FOLDER_IN_USE' });
    await release();
    await (await lockFolder(folder))();
  }));
