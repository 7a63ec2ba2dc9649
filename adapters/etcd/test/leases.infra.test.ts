import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DRAINING, UP } from '@souk/discovery';
import { registration, runtime, until, withServer } from './world.ts';

test('a lease whose time is over by our clock is replaced, though the server has armed it again, and nobody is out meanwhile', () =>
  withServer(async (server, { registry, follow, client, prefix }) => {
    const own = registry();
    await own.register(registration('orders-1'), UP);
    const { told, now } = follow(registry());
    await until('the instance', () => now() === 'orders-1');
    const leaseOf = async () => (await client().get(`${prefix}orders/orders-1`).exec()).kvs[0]?.lease;
    const lease = await leaseOf();
    await server.kill();
    await runtime.timers.sleep(2500);
    await server.start();
    await until('the return', () => own.health().state === 'connected');
    assert.notEqual(await leaseOf(), lease);
    // Until the old one has run out at the server too.
    await runtime.timers.sleep(2500);
    assert.equal(told.length, 1);
  }));

test('while a server is frozen for longer than the lease, nobody hangs, and afterwards everybody is there', () =>
  withServer(async (server, { registry, follow, said }) => {
    const [own, other] = [registry(), registry()];
    const registered = await own.register(registration('orders-1'), UP);
    const { now } = follow(other);
    await until('the instance', () => now() === 'orders-1');
    await server.freeze(true);
    const begunMs = runtime.clock.monotonicMs();
    await registered.update(DRAINING);
    assert.ok(runtime.clock.monotonicMs() - begunMs < 2000);
    await until('the loss', () => own.health().state === 'connecting' && other.health().state === 'connecting');
    await runtime.timers.sleep(2500);
    assert.equal(now(), 'orders-1');
    await server.freeze(false);
    await until('the return', () => now() === 'orders-1:draining');
    // By our own clock: the library would have believed in it for another lease.
    assert.ok(said.some(({ message }) => message.includes('the lease is lost')));
  }));
