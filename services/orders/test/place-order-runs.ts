import { type ScriptedOutcome, type Simulated, simulate } from '@souk/saga/testing';
import type { PlaceOrderInput } from '../src/sagas/place-order.ts';
import { placeOrderSaga } from '../src/sagas/place-order.ts';

export type Script = Readonly<Record<string, readonly ScriptedOutcome[]>>;

const input: PlaceOrderInput = {
  userId: 'usr_1',
  lines: [{ productId: 'prd_1', quantity: 2 }],
  total: { currency: 'EUR', minorUnits: '1999' },
  paymentMethodId: 'pm_1',
};

/** What the participants answer when all goes well. */
const results = {
  'reserve-stock': { reservationId: 'res_1', heldUntil: null },
  'authorize-payment': { paymentId: 'pay_1' },
  'confirm-order': {},
  'capture-payment': { status: 'CAPTURED' },
  'commit-stock': {},
  'arrange-shipping': { shipmentId: 'shp_1' },
  'record-progress': { status: 'CONFIRMED' },
  'award-points': { points: 19 },
  notify: {},
};

/** Runs place-order with scripted participants, in virtual time. */
export const runPlaceOrder = (
  script: Script = {},
  more: Partial<Parameters<typeof simulate>[1]> = {},
): Promise<Simulated> => simulate(placeOrderSaga, { ...(more as object), id: 'ord_1', input, results, script });

const refusedFor = (reason: string, times = 1): readonly ScriptedOutcome[] => Array(times).fill({ refused: reason });

/** What is worth remembering of this version, by label. */
export const remembered: Readonly<Record<string, () => Promise<Simulated>>> = {
  happy: () => runPlaceOrder(),
  'out-of-stock': () => runPlaceOrder({ 'reserve-stock': refusedFor('INVENTORY_OUT_OF_STOCK') }),
  'card-declined': () => runPlaceOrder({ 'authorize-payment': refusedFor('PAYMENTS_CARD_DECLINED') }),
  compensated: () =>
    runPlaceOrder({
      'authorize-payment': ['unknown', 'silent', 'ok'],
      'confirm-order': refusedFor('ORDERS_GONE_BEFORE_CONFIRMATION'),
      'authorize-payment/undo': ['failed', 'ok'],
    }),
  'stuck-and-retried': () =>
    runPlaceOrder(
      { 'arrange-shipping': refusedFor('SHIPPING_ADDRESS_UNKNOWN') },
      { actions: [{ at: '1h', action: 'retry' }] },
    ),
  'killed-while-charging': () => runPlaceOrder({}, { crashAfter: 'capture-payment' }),
};
