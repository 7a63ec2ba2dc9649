import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import { type Amount, projectionWorld, until } from '../test/world.ts';
import { defineSubscription, type EventSubscription, type StoredEventHandler } from './index.ts';

const errors = defineErrors('TEST', {
  POISON: { code: 'failed_precondition', text: 'this amount is not good' },
  LATER: { code: 'unavailable', text: 'not now', retry: 'later' },
});
const EFFECTS = 'CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, stream text, version int)';
const INSERT = 'INSERT INTO effect (stream, version) VALUES ($1, $2)';

const reaction = (handle: StoredEventHandler, more: Partial<EventSubscription<unknown>> = {}) =>
  defineSubscription({
    name: 'reaction',
    categories: ['count'],
    handle: () => handle,
    ...more,
  }) as EventSubscription<never>;

async function world(t: TestContext) {
  const on = await projectionWorld(t);
  await on.rows(EFFECTS);
  return {
    ...on,
    effects: () => on.rows<{ stream: string; version: number }>('SELECT stream, version FROM effect ORDER BY n'),
    until: (what: string, holds: () => Promise<boolean>) => until(on, what, holds),
  };
}

test('each event is handled, those of a stream in order, and effects happen once although handlers fail', async (t) => {
  const on = await world(t);
  let calls = 0;
  const handle: StoredEventHandler = async (_ctx, { stream, version }, { once }) => {
    if (++calls % 7 === 0) throw errors.LATER();
    await once((tx) => tx.query(INSERT, [stream, version]));
    // After its effect: it is not handled again.
    if (calls % 5 === 0) throw errors.LATER();
  };
  for (let n = 0; n < 5; n++) await on.add(`s${n}`, 1, 2, 3);
  await on.start({ subscriptions: [reaction(handle)] });
  await on.start({ subscriptions: [reaction(handle)], elsewhere: true });
  for (let n = 0; n < 5; n++) await on.add(`s${n}`, 4);
  await on.until('all', async () => (await on.effects()).length >= 20);
  await on.runtime.timers.sleep(200);
  const byStream = Object.groupBy(await on.effects(), ({ stream }) => stream);
  assert.equal(Object.keys(byStream).length, 5);
  for (const rows of Object.values(byStream))
    assert.deepEqual(
      rows?.map(({ version }) => version),
      [1, 2, 3, 4],
    );
});

test('a handler without an effect of its own is told each event at least once', async (t) => {
  const on = await world(t);
  const seen: string[] = [];
  const handle: StoredEventHandler = async (_ctx, { stream, version }) => void seen.push(`${stream}/${version}`);
  const projections = await on.start({ subscriptions: [reaction(handle, { partitions: 1 })] });
  await on.add('a', 1, 2);
  const { position } = await on.add('b', 1);
  await projections.waitFor(on.ctx, 'reaction', position, 5000);
  assert.deepEqual(seen, ['count-a/1', 'count-a/2', 'count-b/1']);
});

test('an event that can never be handled parks its stream; the others go on; redriving keeps the order', async (t) => {
  const on = await world(t);
  let healed = false;
  const handle: StoredEventHandler = async (_ctx, { stream, version, data }, { once }) => {
    if (!healed && (data as Amount).amount === 13) throw errors.POISON();
    await once((tx) => tx.query(INSERT, [stream, version]));
  };
  const projections = await on.start({ subscriptions: [reaction(handle)] });
  await on.add('bad', 1, 13, 2);
  await on.add('good', 1, 2);
  const { position } = await on.add('bad', 3);
  await projections.waitFor(on.ctx, 'reaction', position, 5000);
  const parked = await projections.parked(on.ctx, 'reaction');
  assert.deepEqual(
    parked.map(({ stream, version }) => `${stream}/${version}`),
    ['count-bad/2', 'count-bad/3', 'count-bad/4'],
  );
  healed = true;
  const redriven = await projections.redrive(on.ctx, 'reaction', { actor: 'ann', reason: 'fixed' });
  assert.deepEqual(redriven, { events: 3, streams: 1, failed: [] });
  const versions = (await on.effects()).filter(({ stream }) => stream === 'count-bad').map(({ version }) => version);
  assert.deepEqual(versions, [1, 2, 3, 4]);
  const after = await on.add('bad', 5);
  await projections.waitFor(on.ctx, 'reaction', after.position, 5000);
  assert.equal((await on.effects()).length, 7);
});

test('a subscription begins at the beginning, or with what comes, and stays where it was', async (t) => {
  const on = await world(t);
  await on.add('a', 1, 2);
  const note =
    (name: string): StoredEventHandler =>
    async (_ctx, { version }, { once }) => {
      await once((tx) => tx.query(INSERT, [name, version]));
    };
  const subscriptions = [
    reaction(note('all'), { name: 'all' }),
    reaction(note('new'), { name: 'new', from: 'now' }),
    reaction(note('none'), { name: 'none', types: ['Removed'] }),
  ];
  const first = await on.start({ subscriptions });
  const third = await on.add('a', 3);
  for (const name of ['all', 'new', 'none']) await first.waitFor(on.ctx, name, third.position, 5000);
  await first.stop();
  await on.add('a', 4);
  const second = await on.start({ subscriptions });
  const fifth = await on.add('a', 5);
  for (const name of ['all', 'new', 'none']) await second.waitFor(on.ctx, name, fifth.position, 5000);
  const seen = Object.groupBy(await on.effects(), ({ stream }) => stream);
  assert.deepEqual(
    seen.all?.map(({ version }) => version),
    [1, 2, 3, 4, 5],
  );
  assert.deepEqual(
    seen.new?.map(({ version }) => version),
    [3, 4, 5],
  );
  assert.equal(seen.none, undefined);
  await assert.rejects(second.rebuild(on.ctx, 'all', { actor: 'ann', reason: 'no' }), {
    reason: 'PROJECTION_NO_TABLES',
  });
});
