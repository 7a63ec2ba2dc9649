import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import { testDatabase } from '../../../tests/support/database.ts';
import { createEventStore, createSnapshots, type Decider, eventStoreMigrations, handle, handleAlone } from './index.ts';

const errors = defineErrors('TILL', { EMPTY: { code: 'failed_precondition', text: 'there is not so much in it' } });

type TillEvent = { readonly type: 'PutIn' | 'TakenOut'; readonly amount: number };

const till: Decider<number, number, TillEvent> = {
  initial: 0,
  evolve: (sum, { type, amount }) => (type === 'PutIn' ? sum + amount : sum - amount),
  decide: (sum, amount) => {
    if (amount === 0) return [];
    if (sum + amount < 0) throw errors.EMPTY();
    return [amount > 0 ? { type: 'PutIn', amount } : { type: 'TakenOut', amount: -amount }];
  },
};

async function world() {
  const on = await testDatabase('handle', [eventStoreMigrations]);
  const store = createEventStore({ runtime: on.runtime });
  return { ...on, store };
}

test('a command loads, decides and appends; one that is refused or changes nothing appends nothing', async () => {
  const { db, ctx, store, close } = await world();
  const command = (amount: number) => handleAlone(store, db, ctx, till, 'till-1', amount);
  assert.equal((await command(10)).version, 1);
  const { before, after, version, events, appended } = await command(-4);
  assert.deepEqual([before, after, version], [10, 6, 2]);
  assert.deepEqual(events, [{ type: 'TakenOut', amount: 4 }]);
  assert.equal(appended?.version, 2);
  assert.equal((await command(0)).appended, undefined);
  await assert.rejects(command(-7), { reason: 'TILL_EMPTY' });
  assert.equal((await store.read(db.at(ctx), 'till-1')).length, 2);
  await close();
});

test('commands to one stream at once are carried out one after the other, with snapshots or without', async () => {
  const { db, ctx, runtime, store, close } = await world();
  const from = createSnapshots({ store, db, runtime, ctx, every: 5 });
  for (const options of [{}, { snapshots: { from, name: 'till', hash: '1' } }]) {
    const stream = `till-${Object.keys(options).length}`;
    await handleAlone(store, db, ctx, till, stream, 20, options);
    const results = await Promise.allSettled(
      Array.from({ length: 25 }, () => handleAlone(store, db, ctx, till, stream, -1, options)),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 20, 'never below nothing');
    await from.settled();
  }
  await close();
});

test('a command is a part of the transaction around it, also after other writes', async () => {
  const { db, ctx, store, close } = await world();
  await db.at(ctx).query('CREATE TABLE note (text text)');
  await db.tx(ctx, async (tx) => {
    await handle(store, tx, till, 'till-1', 5);
    await tx.query("INSERT INTO note VALUES ('x')");
    assert.equal((await handle(store, tx, till, 'till-1', 5)).after, 10);
    assert.equal((await handle(store, tx, till, 'till-2', 1)).after, 1);
  });
  await assert.rejects(
    db.tx(ctx, async (tx) => {
      await handle(store, tx, till, 'till-1', 5);
      await handle(store, tx, till, 'till-1', -100);
    }),
  );
  assert.equal((await store.read(db.at(ctx), 'till-1')).length, 2);
  await close();
});
