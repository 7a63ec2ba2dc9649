import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, hasReason } from '@souk/kernel';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { ClosedSchema, type Counted, CountedSchema } from '../test/events.ts';
import { publishCounted, testService, until } from '../test/service.ts';
import {
  createDeadLetters,
  createInProcessBus,
  type DeadLetterPolicy,
  listOperatorActions,
  type Messaging,
  messagingMigrations,
} from './index.ts';

const errors = defineErrors('BAZAAR', {
  REFUSED: { code: 'failed_precondition', text: 'no stall {stall} for "{key}"' },
  CLOSED: { code: 'failed_precondition', text: 'closed' },
  BUSY: { code: 'unavailable', text: 'not now', retry: 'later' },
});

const ADA = { operator: 'ada', note: 'repaired' };

interface World {
  readonly on: TestDatabase;
  readonly service: Messaging;
  /** What was handled, in order: `key number`. */
  readonly handled: string[];
  /** Numbers that cannot be handled. */
  readonly bad: Set<number>;
  readonly publish: (key: string, ...numbers: readonly number[]) => Promise<void>;
  readonly quiet: () => Promise<void>;
  readonly close: () => Promise<void>;
}

async function world(onDeadLetter: DeadLetterPolicy = 'skip'): Promise<World> {
  const on = await testDatabase('letters', [messagingMigrations]);
  const handled: string[] = [];
  const bad = new Set<number>();
  const handle = async (event: Counted, once: (work: () => Promise<unknown>) => Promise<unknown>) => {
    if (bad.has(event.number)) throw errors.REFUSED({ stall: event.number, key: event.key });
    await once(async () => handled.push(`${event.key} ${event.number}`));
  };
  const service = testService({
    on,
    bus: createInProcessBus({ runtime: on.runtime }),
    subscriptions: [CountedSchema, ClosedSchema].map((schema) => ({
      schema,
      ordered: true,
      onDeadLetter,
      handle: (_ctx, event, delivery) => handle(event as Counted, delivery.once),
    })),
  });
  await service.start();
  return {
    on,
    service,
    handled,
    bad,
    publish: async (key, ...numbers) => {
      for (const number of numbers) await publishCounted(on, service, key, number);
    },
    quiet: () =>
      until('an empty outbox', async () => (await on.db.at(on.ctx).query('SELECT FROM souk.outbox')).rowCount === 0),
    close: async () => {
      await service.stop();
      await on.close();
    },
  };
}

const idsOf = (letters: readonly { readonly id: bigint }[]): bigint[] => letters.map(({ id }) => id);

test('letters are listed by filters and pages, grouped by what they died of, and shown whole', async () => {
  const { on, service, bad, publish, quiet, close } = await world();
  const { deadLetters } = service;
  for (const number of [1, 2, 3, 4]) bad.add(number);
  await publish('a', 1, 2, 10);
  await publish('b', 3, 4);
  await on.db.tx(on.ctx, (tx) => service.publisher.publish(tx, ClosedSchema, { key: 'a', number: 1 }));
  await quiet();
  const all = await deadLetters.list(on.ctx);
  assert.equal(all.length, 5);
  assert.deepEqual(
    idsOf(all),
    [...idsOf(all)].sort((a, b) => Number(b - a)),
  );
  const page = await deadLetters.list(on.ctx, {}, { limit: 2 });
  const next = await deadLetters.list(on.ctx, {}, { limit: 2, before: page[1]!.id });
  assert.deepEqual(idsOf([...page, ...next]), idsOf(all).slice(0, 4));
  const countOf = (filter: Parameters<typeof deadLetters.count>[1]) => deadLetters.count(on.ctx, filter);
  assert.equal(await countOf({ key: 'a' }), 3);
  assert.equal(await countOf({ key: 'a', type: 'bazaar.counted.v1' }), 2);
  assert.equal(await countOf({ reason: 'BAZAAR_CLOSED' }), 0);
  assert.equal(await countOf({ olderThanMs: 60_000 }), 0);
  assert.equal(await countOf({ youngerThanMs: 60_000 }), 5);
  assert.equal(await countOf({ status: 'discarded' }), 0);
  const groups = await deadLetters.groups(on.ctx);
  // The number of the stall and the quoted key make no other cause of it; another type of event does.
  assert.deepEqual(
    groups.map(({ count, type, reason }) => [count, type, reason]),
    [
      [4, 'bazaar.counted.v1', 'BAZAAR_REFUSED'],
      [1, 'bazaar.closed.v1', 'BAZAAR_REFUSED'],
    ],
  );
  assert.equal(await countOf({ fingerprint: groups[0]!.fingerprint }), 4);
  assert.deepEqual((await deadLetters.groups(on.ctx, { limit: 1, after: groups[0]! }))[0], groups[1]);
  const whole = await deadLetters.get(on.ctx, groups[1]!.sampleId);
  assert.deepEqual(whole.event, { key: 'a', number: 1 });
  assert.equal(whole.envelope.schema, 'bazaar.v1.Closed');
  assert.equal(whole.failures[0]!.reason, 'BAZAAR_REFUSED');
  assert.equal(whole.attempts, 1);
  await assert.rejects(deadLetters.get(on.ctx, 999n), (error) => hasReason(error, 'MESSAGING_NO_DEAD_LETTER'));
  await close();
});

test('a redriven letter is handled once, keeps its id, and says who redrove it and why', async () => {
  const { on, service, bad, handled, publish, quiet, close } = await world();
  const { deadLetters } = service;
  bad.add(2);
  await publish('a', 1, 2, 3);
  await quiet();
  const [letter] = await deadLetters.list(on.ctx);
  bad.clear();
  const result = await deadLetters.redrive(on.ctx, { ids: [letter!.id, letter!.id] }, ADA);
  assert.deepEqual(result, { total: 2, redriven: 1, skipped: 1 });
  await until('the event', () => handled.length === 3);
  assert.deepEqual(handled, ['a 1', 'a 3', 'a 2']);
  const after = await deadLetters.get(on.ctx, letter!.id);
  assert.deepEqual([after.status, after.operator, after.note], ['replayed', 'ada', 'repaired']);
  assert.ok(after.actedAt !== undefined);
  const inbox = await on.db.at(on.ctx).query('SELECT FROM souk.inbox WHERE id = $1', [letter!.messageId]);
  assert.equal(inbox.rowCount, 1);
  assert.deepEqual(
    (await listOperatorActions(on.db, on.ctx)).map(({ operator, action, subject, note }) => [
      operator,
      action,
      subject,
      note,
    ]),
    [['ada', 'replayed', String(letter!.id), 'repaired']],
  );
  await close();
});

test('what was handled in the meantime changes nothing when its letter is redriven', async () => {
  const { on, service, bad, handled, publish, quiet, close } = await world();
  bad.add(1);
  await publish('a', 1);
  await quiet();
  const [letter] = await service.deadLetters.list(on.ctx);
  await on.db
    .at(on.ctx)
    .query("INSERT INTO souk.inbox VALUES ('bazaar', $1, $2, now())", [letter!.source, letter!.messageId]);
  bad.clear();
  await service.deadLetters.redrive(on.ctx, { ids: [letter!.id] }, ADA);
  const retries = () => on.db.at(on.ctx).query('SELECT FROM souk.retry');
  await until('an empty table', async () => (await retries()).rowCount === 0);
  assert.deepEqual(handled, []);
  await close();
});

test('all that match are redriven after a preview, in order, at a rate, with progress', async () => {
  const { on, service, bad, handled, publish, quiet, close } = await world();
  const { deadLetters } = service;
  for (let number = 1; number <= 12; number++) bad.add(number);
  await publish('a', 1, 2, 3, 4, 5, 6);
  await publish('b', 7, 8);
  await quiet();
  const selection = { filter: { key: 'a' } };
  const refused = (confirm?: string) => deadLetters.redrive(on.ctx, selection, { ...ADA, confirm });
  await assert.rejects(refused(), (error) => hasReason(error, 'MESSAGING_CONFIRMATION_NEEDED'));
  const preview = await deadLetters.preview(on.ctx, 'redrive', selection);
  assert.equal(preview.count, 6);
  assert.equal(preview.sample.length, 5);
  const forDiscard = await deadLetters.preview(on.ctx, 'discard', selection);
  await assert.rejects(refused(forDiscard.confirm), (error) => hasReason(error, 'MESSAGING_CONFIRMATION_NEEDED'));
  await deadLetters.discard(on.ctx, { ids: [preview.sample[0]!.id] }, ADA);
  await assert.rejects(refused(preview.confirm), (error) => hasReason(error, 'MESSAGING_PREVIEW_STALE'));
  const again = await deadLetters.preview(on.ctx, 'redrive', selection);
  // Died after the preview: not meant by it.
  await publish('a', 9);
  await quiet();
  bad.clear();
  const seen: number[] = [];
  const startMs = on.runtime.clock.monotonicMs();
  const result = await deadLetters.redrive(on.ctx, selection, {
    ...ADA,
    confirm: again.confirm,
    ratePerSecond: 40,
    onProgress: ({ redriven }) => seen.push(redriven),
  });
  assert.ok(on.runtime.clock.monotonicMs() - startMs >= 95, 'five at 40 a second');
  assert.deepEqual(result, { total: 5, redriven: 5, skipped: 0 });
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  await until('all', () => handled.length === 5);
  assert.deepEqual(handled, ['a 1', 'a 2', 'a 3', 'a 4', 'a 5']);
  assert.equal(await deadLetters.count(on.ctx), 3);
  await close();
});

test('an edited letter is an event of its own, caused by the old one', async () => {
  const { on, service, bad, handled, publish, quiet, close } = await world();
  const { deadLetters } = service;
  bad.add(1);
  await publish('a', 1);
  await quiet();
  const [letter] = await deadLetters.list(on.ctx);
  const edit = (event: { key: string; number: number | string }) =>
    deadLetters.redriveEdited(on.ctx, letter!.id, event, ADA);
  for (const wrong of [
    { key: 'b', number: 5 },
    { key: '', number: 5 },
    { key: 'a', number: 'x' },
  ]) {
    await assert.rejects(edit(wrong), (error) => hasReason(error, 'MESSAGING_INVALID_EVENT'));
  }
  const id = await edit({ key: 'a', number: 5 });
  assert.notEqual(id, letter!.messageId);
  await until('the edited one', () => handled.length === 1);
  assert.deepEqual(handled, ['a 5']);
  assert.equal((await deadLetters.get(on.ctx, letter!.id)).status, 'edited');
  await assert.rejects(edit({ key: 'a', number: 5 }), (error) => hasReason(error, 'MESSAGING_NO_DEAD_LETTER'));
  bad.add(6);
  await close();
});

test('a subscription that blocks keeps later events of the key behind the letter until it is redriven', async () => {
  const { on, service, bad, handled, publish, quiet, close } = await world('block');
  bad.add(2);
  await publish('a', 1, 2, 3, 4);
  await publish('b', 5);
  await quiet();
  await until('the others', () => handled.length === 2);
  assert.deepEqual(handled.toSorted(), ['a 1', 'b 5']);
  const [blocked, ...rest] = await service.control.blockedKeys(on.ctx);
  assert.equal(rest.length, 0);
  assert.deepEqual(
    [blocked?.source, blocked?.key, blocked?.waiting, blocked?.reason],
    ['/souk/bazaar', 'a', 2, 'BAZAAR_REFUSED'],
  );
  assert.ok((await service.deadLetters.get(on.ctx, blocked!.deadLetterId)).blocks);
  await until('a count', () => service.health().blocked === 1);
  // It dies again, and blocks again.
  await service.deadLetters.redrive(on.ctx, { ids: [blocked!.deadLetterId] }, ADA);
  await until('another letter', async () => (await service.control.blockedKeys(on.ctx)).length === 1);
  const [again] = await service.control.blockedKeys(on.ctx);
  assert.notEqual(again?.deadLetterId, blocked?.deadLetterId);
  assert.equal(again?.waiting, 2);
  assert.equal(handled.length, 2);
  bad.clear();
  await service.deadLetters.redrive(on.ctx, { ids: [again!.deadLetterId] }, ADA);
  await until('all', () => handled.length === 5);
  assert.deepEqual(
    handled.filter((one) => one.startsWith('a')),
    ['a 1', 'a 2', 'a 3', 'a 4'],
  );
  assert.deepEqual(await service.control.blockedKeys(on.ctx), []);
  await close();
});

test('a discarded letter lets the key that it blocked go on, and stays in the table', async () => {
  const { on, service, bad, handled, publish, quiet, close } = await world('block');
  bad.add(1);
  await publish('a', 1, 2, 3);
  await quiet();
  const preview = await service.deadLetters.preview(on.ctx, 'discard', { filter: {} });
  const options = { ...ADA, note: 'made by a test', confirm: preview.confirm };
  assert.equal(await service.deadLetters.discard(on.ctx, { filter: {} }, options), 1);
  await until('the others', () => handled.length === 2);
  assert.deepEqual(handled, ['a 2', 'a 3']);
  const [letter] = await service.deadLetters.list(on.ctx, { status: 'discarded' });
  assert.deepEqual([letter?.operator, letter?.note], ['ada', 'made by a test']);
  await close();
});

test('an event that blocks after delayed attempts keeps its place, and is one letter', async () => {
  const { on, service, handled, publish, quiet, close } = await world('block');
  await on.db.at(on.ctx).query(
    `INSERT INTO souk.retry (consumer, key, available_at, envelope)
     VALUES ('bazaar', '/souk/bazaar#a', now() + interval '300 ms', $1)`,
    [
      JSON.stringify({
        id: 'x',
        source: '/souk/bazaar',
        type: 'bazaar.counted.v1',
        partitionkey: 'a',
        data_base64: '/////w==',
      }),
    ],
  );
  await publish('a', 2);
  await quiet();
  await until('a block', async () => (await service.control.blockedKeys(on.ctx)).length === 1);
  assert.equal((await service.control.blockedKeys(on.ctx))[0]?.waiting, 1);
  const [letter] = await service.deadLetters.list(on.ctx);
  assert.equal(letter?.reason, 'MESSAGING_UNDECODABLE_EVENT');
  assert.deepEqual(handled, []);
  await service.deadLetters.discard(on.ctx, { ids: [letter!.id] }, ADA);
  await until('the one behind', () => handled.length === 1);
  await close();
});

test('a paused consumer handles nothing, holds up nobody, and goes on in order when it is resumed', async () => {
  const { on, service, handled, publish, quiet, close } = await world();
  await publish('a', 1);
  await until('the first', () => handled.length === 1);
  const state = await service.control.pause(on.ctx, { operator: 'ada', note: 'a look at it' });
  assert.deepEqual([state.paused, state.operator, state.note], [true, 'ada', 'a look at it']);
  await service.control.pause(on.ctx, ADA);
  await publish('a', 2, 3);
  await publish('b', 4);
  await quiet();
  await until('a count', () => service.health().retrying === 3 && service.health().paused);
  assert.equal(handled.length, 1);
  // After a restart it still holds.
  const other = testService({
    on,
    bus: createInProcessBus({ runtime: on.runtime }),
    subscriptions: [{ schema: CountedSchema, ordered: true, handle: async () => assert.fail('paused') }],
  });
  await other.start();
  await on.runtime.timers.sleep(150);
  await other.stop();
  await service.control.resume(on.ctx, ADA);
  await until('the rest', () => handled.length === 4);
  assert.deepEqual(
    handled.filter((one) => one.startsWith('a')),
    ['a 1', 'a 2', 'a 3'],
  );
  assert.deepEqual(
    (await listOperatorActions(on.db, on.ctx)).map(({ action, note }) => [action, note]),
    [
      ['resumed', 'repaired'],
      ['paused', 'a look at it'],
    ],
  );
  await close();
});

test('a program beside the service sees and redrives its letters', async () => {
  const { on, bad, handled, publish, quiet, close } = await world();
  bad.add(1);
  await publish('a', 1);
  await quiet();
  const beside = createDeadLetters({ service: 'bazaar', db: on.db, runtime: on.runtime });
  const [letter] = await beside.list(on.ctx);
  assert.equal((await beside.get(on.ctx, letter!.id)).event, undefined, 'it does not know the contract');
  bad.clear();
  await beside.redrive(on.ctx, { ids: [letter!.id] }, ADA);
  await until('the event', () => handled.length === 1);
  await close();
});
