import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld, type World } from './world.ts';

const MINUTE_MS = 60_000;
/** Between two looks, once the provider has been away for long. */
const LONGEST_WAIT_MS = 5 * MINUTE_MS;
const PATIENT = { PAYMENTS_RESUME_AFTER: '30s', PAYMENTS_ABANDON_AFTER: '1m' };

const inWorld = async (work: (world: World) => Promise<void>): Promise<void> => {
  const world = await startWorld(PATIENT);
  try {
    await work(world);
  } finally {
    await world.close();
  }
};

/** Goes to the next look, or so far if that comes first, and looks. @returns the milliseconds that went by */
async function goOn(world: World, atMostMs: number): Promise<number> {
  const { rows } = await world
    .sql()
    .query<{ at: Date | null }>("select min(next_at) as at from payment_attempt where state in ('created', 'unknown')");
  const waitMs = Math.max(0, (rows[0]?.at?.getTime() ?? Number.POSITIVE_INFINITY) - world.runtime.clock.now()) + 1;
  const passedMs = Math.min(waitMs, atMostMs);
  world.skip(passedMs);
  await world.resume();
  return passedMs;
}

/** As the books have it, without asking the provider. */
async function statusOf(world: World, order: string): Promise<string | undefined> {
  const { rows } = await world
    .sql()
    .query<{ status: string }>('select status from payment where order_id = $1', [order]);
  return rows[0]?.status;
}

/** Looks as the sweeper does until the payment is voided. */
async function until(world: World, order: string, limitMs: number): Promise<void> {
  for (let passedMs = 0; (await statusOf(world, order)) !== 'VOIDED'; ) {
    assert.ok(passedMs < limitMs, `${await statusOf(world, order)} after ${passedMs} ms`);
    passedMs += await goOn(world, limitMs - passedMs);
  }
}

test('a cancelled payment that the provider never heard of ends a minute after it was sent last', () =>
  inWorld(async (world) => {
    const order = world.order();
    const method = await world.method();
    world.provider.faults.down = true;
    await assert.rejects(world.authorize(order, method));
    await world.cancel(order);
    // A look that gets no answer sends nothing, and so begins no new minute.
    const passedMs = await goOn(world, MINUTE_MS);
    world.provider.faults.down = false;
    assert.equal(await statusOf(world, order), 'PENDING');
    await until(world, order, MINUTE_MS + 1000 - passedMs);
    assert.deepEqual(world.eventsOf(order), ['PaymentVoided']);
  }));

test('however long the provider was away, a cancelled payment ends five minutes after it is back', () =>
  inWorld(async (world) => {
    const order = world.order();
    const method = await world.method();
    world.provider.faults.down = true;
    await assert.rejects(world.authorize(order, method));
    await world.cancel(order);
    for (let awayMs = 0; awayMs < 12 * MINUTE_MS; ) awayMs += await goOn(world, LONGEST_WAIT_MS);
    assert.equal(await statusOf(world, order), 'PENDING');
    world.provider.faults.down = false;
    await until(world, order, LONGEST_WAIT_MS + 1000);
    assert.deepEqual(world.eventsOf(order), ['PaymentVoided']);
  }));

test('a cancelled payment whose process died before it asked is taken up, and what is held let go of', () =>
  inWorld(async (world) => {
    const order = world.order();
    const method = await world.method();
    // The provider holds the money; its answer, and every one after it, is lost with the process.
    world.provider.faults.loseReplies = 3;
    await assert.rejects(world.authorize(order, method, 1000, 250));
    world.provider.faults.down = true;
    await world.cancel(order);
    Object.assign(world.provider.faults, { down: false, loseReplies: 0 });
    await until(world, order, MINUTE_MS);
    const charges = world.provider.inspect.charges();
    assert.deepEqual(
      charges.map(({ status }) => status),
      ['voided'],
    );
  }));
