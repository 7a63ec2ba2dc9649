import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { given as givenEvents } from '@souk/eventstore/testing';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { decide, LEGAL_MOVES, type OrderCommand } from './decide.ts';
import { evolve, fold, hasEnded, type Order, type OrderEvent, type OrderStatus } from './order.ts';

const at = '2026-01-01T00:00:00.000Z';
const later = '2026-01-01T01:00:00.000Z';
const euros = (minorUnits: string) => ({ currency: 'EUR', minorUnits });
const placed: OrderEvent = {
  type: 'OrderPlaced',
  orderId: 'ord_1',
  userId: 'usr_1',
  lines: [{ productId: 'prd_1', name: 'Lamp', quantity: 2, unitPrice: euros('1999'), lineTotal: euros('3998') }],
  total: euros('3998'),
  at,
  actor: 'usr_1',
};
const confirmed: OrderEvent = { type: 'OrderConfirmed', paymentId: 'pay_1', at: later, actor: 'orders' };
const rejected: OrderEvent = { type: 'OrderRejected', reason: 'OUT_OF_STOCK', at: later, actor: 'orders' };
const shipped: OrderEvent = { type: 'OrderShipped', reason: 'DISPATCHED', at: later, actor: 'shipping' };
const delivered: OrderEvent = { type: 'OrderDelivered', reason: 'DELIVERED', at: later, actor: 'shipping' };
const cancelled: OrderEvent = { type: 'OrderCancelled', reason: 'CHANGED_MIND', at: later, actor: 'usr_1' };

const confirm: OrderCommand = { type: 'Confirm', paymentId: 'pay_1', at: later, actor: 'orders' };
const reject: OrderCommand = { type: 'Reject', reason: 'OUT_OF_STOCK', at: later, actor: 'orders' };
const ship: OrderCommand = { type: 'Ship', reason: 'DISPATCHED', at: later, actor: 'shipping' };
const deliver: OrderCommand = { type: 'Deliver', reason: 'DELIVERED', at: later, actor: 'shipping' };
const cancel: OrderCommand = { type: 'Cancel', reason: 'CHANGED_MIND', at: later, actor: 'usr_1' };

const decider = {
  initial: undefined as Order | undefined,
  decide: (order: Order | undefined, command: OrderCommand) => decide(order as Order, command),
  evolve,
};
const given = (...events: OrderEvent[]) => givenEvents(decider, events);

/** The shortest life that leads to each status. */
const LIVES: Readonly<Record<OrderStatus, readonly OrderEvent[]>> = {
  PLACED: [placed],
  CONFIRMED: [placed, confirmed],
  REJECTED: [placed, rejected],
  SHIPPED: [placed, confirmed, shipped],
  DELIVERED: [placed, confirmed, shipped, delivered],
  CANCELLED: [placed, cancelled],
};
const MOVES: readonly (readonly [to: OrderStatus, command: OrderCommand, event: OrderEvent])[] = [
  ['CONFIRMED', confirm, confirmed],
  ['REJECTED', reject, rejected],
  ['SHIPPED', ship, shipped],
  ['DELIVERED', deliver, delivered],
  ['CANCELLED', cancel, cancelled],
];
/** The drawing at the top of order.ts, written down a second time. */
const ARROWS = [
  'PLACED-CONFIRMED',
  'PLACED-REJECTED',
  'PLACED-CANCELLED',
  'CONFIRMED-SHIPPED',
  'CONFIRMED-CANCELLED',
  'SHIPPED-DELIVERED',
];

describe('every move from every status', () => {
  for (const [from, life] of Object.entries(LIVES)) {
    for (const [to, command, event] of MOVES) {
      if (from === to)
        test(`${from} to ${to} is no move`, () =>
          given(...life)
            .when(command)
            .then([]));
      else if (ARROWS.includes(`${from}-${to}`))
        test(`${from} to ${to} is legal`, () =>
          given(...life)
            .when(command)
            .then([event]));
      else
        test(`${from} to ${to} is refused`, () =>
          given(...life)
            .when(command)
            .thenRefused('ORDERS_ILLEGAL_TRANSITION'));
    }
  }
});

test('a refused move names those that are allowed', () => {
  const order = fold(LIVES.CONFIRMED) as Order;
  assert.throws(
    () => decide(order, deliver),
    (error: unknown) =>
      hasReason(error, 'ORDERS_ILLEGAL_TRANSITION') && (error as Error).message.includes('SHIPPED, CANCELLED'),
  );
});

test('money and goods have axes of their own, which do not repeat themselves', () => {
  const refund: OrderCommand = {
    type: 'RecordPayment',
    paymentStatus: 'REFUNDED',
    paymentId: 'pay_1',
    at,
    actor: 'payments',
  };
  const refunded: OrderEvent = { ...refund, type: 'PaymentProgressed' } as never;
  given(placed, confirmed, cancelled).when(refund).then([refunded]);
  given(placed, confirmed, cancelled, refunded).when(refund).then([]);
  const after = fold([placed, confirmed, cancelled, refunded]);
  assert.equal(after?.status, 'CANCELLED');
  assert.equal(after?.paymentStatus, 'REFUNDED');
});

test('an empty stream is no order', () => assert.equal(fold([]), undefined));

const command: fc.Arbitrary<OrderCommand> = fc.oneof(
  fc.constantFrom(confirm, reject, ship, deliver, cancel),
  fc.constantFrom('CAPTURED', 'VOIDED', 'REFUNDED').map(
    (paymentStatus): OrderCommand => ({
      type: 'RecordPayment',
      paymentStatus: paymentStatus as never,
      paymentId: 'pay_1',
      at,
      actor: 'payments',
    }),
  ),
  fc.constantFrom('PREPARING', 'RETURNED').map(
    (fulfilmentStatus): OrderCommand => ({
      type: 'RecordFulfilment',
      fulfilmentStatus: fulfilmentStatus as never,
      at,
      actor: 'shipping',
    }),
  ),
);

test('whatever is asked, an order only moves along the arrows, counts its events and keeps its lines', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 20, size: 'max' }), (commands) => {
      const events: OrderEvent[] = [placed];
      for (const one of commands) {
        const before = fold(events) as Order;
        let decided: OrderEvent[] = [];
        try {
          decided = decide(before, one);
        } catch (error) {
          assert.ok(hasReason(error, 'ORDERS_ILLEGAL_TRANSITION'));
        }
        events.push(...decided);
        const after = fold(events) as Order;
        if (before.status !== after.status) assert.ok(LEGAL_MOVES[before.status].includes(after.status));
        if (hasEnded(before)) assert.equal(after.status, before.status);
        assert.equal(after.version, events.length);
        assert.deepEqual([after.lines, after.total, after.createdAt], [placed.lines, placed.total, at]);
      }
    }),
  );
});
