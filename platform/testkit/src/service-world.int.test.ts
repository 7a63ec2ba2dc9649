import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { CounterService, IncreasedSchema } from '../../../tests/support/corner/contract.ts';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { counter, counterErrors } from '../test/counter.ts';
import { createLogBook, createServiceWorld, migrationsOf } from './index.ts';

describe('a service world', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase('counter', migrationsOf(counter));
  });
  after(() => database.close());
  beforeEach(async () => {
    await database.db.at(database.ctx).query('truncate count, heard, souk.outbox, souk.inbox');
  });

  const world = (tell = async (name: string) => ({ text: `about ${name}` })) => {
    const book = createLogBook();
    const callees = { teller: { tell: (_ctx: unknown, { name }: { name: string }) => tell(name) } };
    const made = createServiceWorld(counter, { db: database.db, runtime: database.runtime, callees, log: book.log });
    return made.then((one) => ({ ...one, book }));
  };

  test('calls come through the contract, its rules included', async () => {
    const { client, nobody, service } = await world();
    const counting = client(CounterService);
    assert.equal((await counting.increase(nobody, { name: 'a', by: 2 })).value, 2);
    await assert.rejects(counting.increase(service('other'), { name: '' }), { reason: 'RPC_INVALID_REQUEST' });
  });

  test('published is what was committed', async () => {
    const { client, nobody, published } = await world();
    await client(CounterService).increase(nobody, { name: 'a', by: 2 });
    const [first, ...others] = await published();
    assert.deepEqual([first?.schema, first?.key, first?.event.value], ['corner.v1.Increased', 'a', 2]);
    assert.deepEqual(others, []);
  });

  test('fakes see what they are asked and may refuse', async () => {
    const one = await world(async () => {
      throw counterErrors.SECRET();
    });
    await assert.rejects(one.client(CounterService).increase(one.nobody, { name: 'a', by: 1 }), {
      reason: 'COUNTER_SECRET',
    });
    assert.deepEqual(
      one.calls.map(({ call, request }) => [call, (request as unknown as { name: string }).name]),
      [['teller.tell', 'a']],
    );
    assert.deepEqual(await one.published(), []);
  });

  test('a call that the test gave no answer for is named', async () => {
    const { db, runtime } = database;
    const { deps, user } = await createServiceWorld(counter, { db, runtime });
    await assert.rejects(deps.calls.teller.tell(user('ada'), { name: 'a' }), /corner\.v1\.TellerService\/tell/);
  });

  test('an event with the same id is heard once, with another id again', async () => {
    const { hear, counted } = await world();
    await hear(IncreasedSchema, { name: 'a', value: 1 }, 'one');
    await hear(IncreasedSchema, { name: 'a', value: 1 }, 'one');
    await hear(IncreasedSchema, { name: 'a', value: 1 }, 'two');
    assert.deepEqual(counted, ['heard', 'heard']);
  });

  test('a job runs when it is told to, and an unknown one is named', async () => {
    const { client, nobody, runJob } = await world();
    await client(CounterService).increase(nobody, { name: 'a', by: 2 });
    await runJob('clear');
    assert.deepEqual((await database.db.at(database.ctx).query('select from count')).rowCount, 0);
    await assert.rejects(runJob('no-such'), { reason: 'TESTKIT_NO_JOB' });
  });

  test('the log book has every field', async () => {
    const { client, nobody, book } = await world();
    await client(CounterService).increase(nobody, { name: 'ada', by: 1 });
    assert.match(book.text(), /increased[\s\S]*about ada/);
  });

  test('a fake checks what it is asked against the contract', async () => {
    const { deps, nobody } = await world();
    await assert.rejects(deps.calls.teller.tell(nobody, { name: 'x'.repeat(2000) }), { reason: 'RPC_INVALID_REQUEST' });
  });
});
