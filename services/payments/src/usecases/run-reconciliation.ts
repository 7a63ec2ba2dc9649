import { timestampDate } from '@bufbuild/protobuf/wkt';
import { ReconciliationIssue_Kind, type RunReconciliationRequest } from '@souk/contracts/payments/v1/payments';
import { type Context, fromUnknown, hasReason, isId } from '@souk/kernel';
import type { PaymentsDeps } from '../deps.ts';
import { contradicts, lateVoidKey, stepsTo } from '../domain/payment.ts';
import type { ProviderCharge } from '../provider.ts';
import { withOpenAttempts } from '../store/attempt-repository.ts';
import { findPayments, listForReconciliation } from '../store/payment-repository.ts';
import type { PaymentRow } from '../store/payment-row.ts';

const PAGE = 200;

interface Issue {
  readonly kind: ReconciliationIssue_Kind;
  readonly paymentId: string;
  readonly providerReference: string;
  readonly detail: string;
}

interface Findings {
  readonly seen: Set<string>;
  readonly issues: Issue[];
  repaired: number;
}

/**
 * Compares our payments with the provider's ledger, both ways. What can be brought together is; the rest is left for a person.
 * Payments with something under way are left alone: their outcome is being looked for.
 */
export const runReconciliation =
  (deps: PaymentsDeps) =>
  async (ctx: Context, { since }: Pick<RunReconciliationRequest, 'since'>) => {
    const now = deps.runtime.clock.now();
    const sinceMs = since === undefined ? now - deps.settings.reconcileWindow : timestampDate(since).getTime();
    const findings: Findings = { seen: new Set(), issues: [], repaired: 0 };
    await compareTheirs(ctx, deps, sinceMs, findings);
    await compareOurs(ctx, deps, sinceMs, now - deps.settings.resumeAfter, findings);
    const { seen, issues, repaired } = findings;
    const result = { checked: seen.size, repaired, issues };
    if (issues.length > 0)
      ctx.log.error('the books differ from the provider: see the issues', { count: issues.length });
    else ctx.log.info('the books agree with the provider', { checked: seen.size, repaired });
    return result;
  };

async function compareTheirs(ctx: Context, deps: PaymentsDeps, sinceMs: number, findings: Findings): Promise<void> {
  let afterSequence = 0;
  let more = true;
  while (more) {
    const page = await deps.parts.provider.changes(ctx, { afterSequence, sinceMs });
    const charges = new Map(page.charges.map((charge) => [charge.id, charge]));
    const ids = [...charges.values()].map(({ reference }) => reference).filter((id) => isId(id, 'pay'));
    const sql = deps.db.at(ctx);
    const payments = new Map((await findPayments(sql, ids)).map((payment) => [payment.id, payment]));
    const busy = await withOpenAttempts(sql, ids);
    for (const charge of charges.values()) {
      const payment = payments.get(charge.reference);
      if (payment === undefined) findings.issues.push(theirsOnly(charge));
      else if (!busy.has(payment.id) || payment.status === 'PENDING')
        await compare(ctx, deps, payment, charge, findings);
      findings.seen.add(charge.reference);
    }
    ({ lastSequence: afterSequence, more } = page);
  }
}

async function compare(
  ctx: Context,
  deps: PaymentsDeps,
  payment: PaymentRow,
  charge: ProviderCharge,
  findings: Findings,
): Promise<void> {
  const { settle, provider } = deps.parts;
  const about = { paymentId: payment.id, providerReference: charge.id };
  if (payment.amount !== charge.amount || payment.currency !== charge.currency) {
    // A tombstone is of no amount: the charge that came too late is let go below.
    if (payment.amount > 0n) {
      const detail = `ours ${payment.amount} ${payment.currency}, theirs ${charge.amount} ${charge.currency}`;
      findings.issues.push({ ...about, kind: ReconciliationIssue_Kind.AMOUNT, detail });
      return;
    }
  }
  if (stepsTo(payment.status, charge.status).length > 0) {
    await settle.charge(ctx, payment, charge);
    findings.repaired += 1;
    return;
  }
  if (contradicts(payment.status, charge.status)) {
    if (payment.status === 'VOIDED' && charge.status === 'authorized') {
      // Called off here and held there: it came after we had stopped waiting for it.
      await provider.void(ctx, charge.id, { key: lateVoidKey(payment.id) });
      findings.repaired += 1;
      return;
    }
    const detail = `ours ${payment.status}, theirs ${charge.status}`;
    findings.issues.push({ ...about, kind: ReconciliationIssue_Kind.STATE, detail });
    return;
  }
  if (payment.captured === charge.captured && payment.refunded === charge.refunded) return;
  const after = await settle.charge(ctx, payment, charge);
  if (after.captured === charge.captured && after.refunded === charge.refunded) {
    if (after.version !== payment.version) findings.repaired += 1;
    return;
  }
  const detail = `ours captured ${after.captured} refunded ${after.refunded}, theirs ${charge.captured} and ${charge.refunded}`;
  findings.issues.push({ ...about, kind: ReconciliationIssue_Kind.AMOUNT, detail });
}

/** Payments of ours that the provider's ledger did not name. */
async function compareOurs(
  ctx: Context,
  deps: PaymentsDeps,
  sinceMs: number,
  untilMs: number,
  findings: Findings,
): Promise<void> {
  const before = idAt(untilMs);
  let after = idAt(sinceMs);
  let page: PaymentRow[];
  do {
    page = await listForReconciliation(deps.db.at(ctx), { after, before }, PAGE);
    for (const payment of page) {
      if (findings.seen.has(payment.id)) continue;
      findings.seen.add(payment.id);
      await lookUp(ctx, deps, payment, findings);
    }
    after = page.at(-1)?.id ?? after;
  } while (page.length === PAGE);
}

async function lookUp(ctx: Context, deps: PaymentsDeps, payment: PaymentRow, findings: Findings): Promise<void> {
  const { provider, pursue } = deps.parts;
  if (payment.status === 'PENDING') {
    try {
      if ((await pursue.resolve(ctx, payment)).status !== 'PENDING') findings.repaired += 1;
    } catch (thrown) {
      if (!hasReason(thrown, 'PAYMENTS_OUTCOME_UNKNOWN')) throw thrown;
      ctx.log.warn('an outcome is still not known', { paymentId: payment.id, err: fromUnknown(thrown) });
    }
    return;
  }
  // Called off before the provider heard of it.
  if (payment.provider_reference === '') return;
  const charge = await provider.getCharge(ctx, payment.provider_reference);
  if (charge !== undefined) return compare(ctx, deps, payment, charge, findings);
  findings.issues.push({
    kind: ReconciliationIssue_Kind.OURS_ONLY,
    paymentId: payment.id,
    providerReference: payment.provider_reference,
    detail: `ours ${payment.status} ${payment.amount} ${payment.currency}, unknown to the provider`,
  });
}

const theirsOnly = (charge: ProviderCharge): Issue => ({
  kind: ReconciliationIssue_Kind.THEIRS_ONLY,
  paymentId: '',
  providerReference: charge.id,
  detail: `theirs ${charge.status} ${charge.amount} ${charge.currency}, unknown to us`,
});

/** Below the ids made from that time on: they begin with it. */
function idAt(ms: number): string {
  const time = Math.max(0, ms).toString(16).padStart(12, '0');
  return `pay_${time.slice(0, 8)}-${time.slice(8)}`;
}
