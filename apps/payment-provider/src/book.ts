/*
 * The provider's book: every charge, what became of it, and the ledger of it.
 *
 *   (none) --authorize--> authorized --capture--> captured --refund--> captured, refunded > 0
 *                    \--> failed     \--void--> voided
 *
 * B1 one charge per idempotency key.  B2 captured <= amount, refunded <= captured.  B3 every change has a line in the ledger.
 * B4 change, line, stored reply and event are one transaction.
 */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Runtime } from '@souk/kernel';
import type { Charge, ChargeStatus, LedgerEntry, Refund, RefundStatus } from './charge.ts';
import { providerErrors } from './errors.ts';
import { behaviourOf } from './token.ts';
import type { WebhookType } from './webhook-event.ts';

type Row = Record<string, SQLOutputValue>;

export interface NewCharge {
  readonly idempotencyKey: string;
  readonly amount: number;
  readonly currency: string;
  readonly token: string;
  readonly reference: string;
}

/** Reads and writes; the caller holds the transaction. */
export interface Book {
  addPaymentMethod(token: string): { id: string; brand: string; last4: string };
  /** The token behind a payment method. */
  tokenOf(paymentMethod: string): string | undefined;
  authorize(charge: NewCharge): Charge;
  /** @throws PROVIDER_NOT_FOUND, PROVIDER_INVALID_STATE, PROVIDER_AMOUNT_TOO_LARGE */
  capture(id: string, amount: number | undefined): Charge;
  /** @throws PROVIDER_NOT_FOUND, PROVIDER_INVALID_STATE */
  void(id: string): Charge;
  /** @throws PROVIDER_NOT_FOUND, PROVIDER_INVALID_STATE, PROVIDER_AMOUNT_TOO_LARGE */
  refund(id: string, amount: number | undefined, idempotencyKey: string): { charge: Charge; refund: Refund };
  /** Takes a refund back that was thought done. */
  failRefund(chargeId: string, refundId: string): Charge;
  charge(id: string): Charge | undefined;
  chargeByKey(idempotencyKey: string): Charge | undefined;
  charges(): Charge[];
  ledger(after: number, sinceMs: number, limit: number): LedgerEntry[];
}

const CHARGE = 'select * from charge where id = ?';

/** @param onEvent Called inside the transaction for everything that a client may want to hear of. */
export function createBook(
  db: DatabaseSync,
  runtime: Runtime,
  onEvent: (type: WebhookType, charge: Charge) => void,
): Book {
  const insertMethod = db.prepare('insert into payment_method (id, token, created_at) values (?, ?, ?)');
  const methodToken = db.prepare('select token from payment_method where id = ?');
  const insertCharge = db.prepare(
    `insert into charge (id, idempotency_key, status, amount, currency, token, reference, failure_code, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?) returning *`,
  );
  const byId = db.prepare(CHARGE);
  const byKey = db.prepare('select * from charge where idempotency_key = ?');
  const allCharges = db.prepare('select * from charge order by id');
  const setCaptured = db.prepare("update charge set status = 'captured', captured = ? where id = ? returning *");
  const setVoided = db.prepare("update charge set status = 'voided' where id = ? returning *");
  const addRefunded = db.prepare('update charge set refunded = refunded + ? where id = ? returning *');
  const insertRefund = db.prepare("insert into refund values (?, ?, ?, ?, 'succeeded') returning *");
  const setRefundFailed = db.prepare(
    "update refund set status = 'failed' where id = ? and status = 'succeeded' returning amount",
  );
  const refundsOf = db.prepare('select * from refund where charge_id = ? order by id');
  const addLine = db.prepare('insert into ledger (charge_id, kind, amount, at) values (?, ?, ?, ?)');
  const lines = db.prepare(
    `select l.sequence, l.kind, l.amount as line_amount, l.at, c.* from ledger l join charge c on c.id = l.charge_id
     where l.sequence > ? and l.at >= ? order by l.sequence limit ?`,
  );

  /** Only a captured charge has refunds: the others save the query. */
  const show = (row: Row): Charge =>
    chargeOf(row, Number(row.captured) > 0 ? refundsOf.all(row.id as string).map(refundOf) : []);
  const note = (charge: Charge, kind: LedgerEntry['kind'], amount: number, event: WebhookType): Charge => {
    addLine.run(charge.id, kind, amount, runtime.clock.now());
    onEvent(event, charge);
    return charge;
  };
  const mustFind = (id: string): Row => {
    const row = byId.get(id);
    if (row === undefined) throw providerErrors.NOT_FOUND();
    return row;
  };
  const mustBe = (row: Row, status: ChargeStatus, action: string): void => {
    if (row.status !== status) throw providerErrors.INVALID_STATE({ status: String(row.status), action });
  };
  const within = (amount: number | undefined, most: number): number => {
    const wanted = amount ?? most;
    if (wanted > most || most <= 0) throw providerErrors.AMOUNT_TOO_LARGE({ most });
    return wanted;
  };

  return {
    addPaymentMethod: (token) => {
      const behaviour = behaviourOf(token);
      if (behaviour === undefined) throw providerErrors.UNKNOWN_TOKEN();
      const id = runtime.ids.next('card');
      insertMethod.run(id, token, runtime.clock.now());
      return { id, brand: behaviour.brand, last4: behaviour.last4 };
    },
    tokenOf: (paymentMethod) => methodToken.get(paymentMethod)?.token as string | undefined,
    authorize: ({ idempotencyKey, amount, currency, token, reference }) => {
      const failureCode = behaviourOf(token)?.failureCode ?? 'unknown_card';
      const status = failureCode === '' ? 'authorized' : 'failed';
      const id = runtime.ids.next('chg');
      const now = runtime.clock.now();
      const values = [id, idempotencyKey, status, amount, currency, token, reference, failureCode, now] as const;
      const charge = show(insertCharge.get(...values) as Row);
      return status === 'authorized'
        ? note(charge, 'authorize', amount, 'charge.authorized')
        : note(charge, 'fail', 0, 'charge.failed');
    },
    capture: (id, amount) => {
      const row = mustFind(id);
      mustBe(row, 'authorized', 'captured');
      const taken = within(amount, Number(row.amount));
      return note(show(setCaptured.get(taken, id) as Row), 'capture', taken, 'charge.captured');
    },
    void: (id) => {
      const row = mustFind(id);
      mustBe(row, 'authorized', 'voided');
      return note(show(setVoided.get(id) as Row), 'void', Number(row.amount), 'charge.voided');
    },
    refund: (id, amount, idempotencyKey) => {
      const row = mustFind(id);
      mustBe(row, 'captured', 'refunded');
      const given = within(amount, Number(row.captured) - Number(row.refunded));
      const refund = refundOf(insertRefund.get(runtime.ids.next('ref'), id, idempotencyKey, given) as Row);
      const charge = show(addRefunded.get(given, id) as Row);
      return { charge: note(charge, 'refund', given, 'refund.succeeded'), refund };
    },
    failRefund: (chargeId, refundId) => {
      const failed = setRefundFailed.get(refundId);
      if (failed === undefined) return show(mustFind(chargeId));
      const amount = Number(failed.amount);
      return note(show(addRefunded.get(-amount, chargeId) as Row), 'refund-failed', amount, 'refund.failed');
    },
    charge: (id) => {
      const row = byId.get(id);
      return row && show(row);
    },
    chargeByKey: (idempotencyKey) => {
      const row = byKey.get(idempotencyKey);
      return row && show(row);
    },
    charges: () => allCharges.all().map(show),
    ledger: (after, sinceMs, limit) =>
      lines.all(after, sinceMs, limit).map((row) => ({
        sequence: Number(row.sequence),
        kind: row.kind as LedgerEntry['kind'],
        amount: Number(row.line_amount),
        at: time(row.at),
        charge: show(row),
      })),
  };
}

const time = (ms: SQLOutputValue | undefined): string => new Date(Number(ms)).toISOString();

const chargeOf = (row: Row, refunds: readonly Refund[]): Charge => ({
  id: row.id as string,
  idempotencyKey: row.idempotency_key as string,
  status: row.status as ChargeStatus,
  amount: Number(row.amount),
  captured: Number(row.captured),
  refunded: Number(row.refunded),
  currency: row.currency as string,
  reference: row.reference as string,
  failureCode: row.failure_code as string,
  createdAt: time(row.created_at),
  refunds,
});

const refundOf = (row: Row): Refund => ({
  id: row.id as string,
  idempotencyKey: row.idempotency_key as string,
  amount: Number(row.amount),
  status: row.status as RefundStatus,
});
