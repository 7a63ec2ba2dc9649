import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { startWorld } from './world.ts';

test('a charge that is made after its payment was given up holds nothing', async () => {
  const world = await startWorld();
  try {
    const order = world.order();
    // The provider takes its time: it answers after the payment was called off and given up.
    const slow = world.authorize(order, await world.method('tok_slow'));
    const refused = assert.rejects(slow, (error) => hasReason(error, 'PAYMENTS_ORDER_CANCELLED'));
    await world.runtime.timers.sleep(20);
    const given = await world.void(order);
    assert.equal(world.status(given), 'VOIDED');
    await refused;
    assert.deepEqual(
      world.charges(String(given.id)).map(({ status }) => status),
      ['voided'],
    );
    assert.deepEqual((await world.reconcile()).issues ?? [], []);
  } finally {
    await world.close();
  }
});
