import { create } from '@bufbuild/protobuf';
import { createPaymentProvider, type PaymentProvider, providerSettings } from '@souk/app-payment-provider';
import { loadSettings } from '@souk/config';
import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import {
  AuthorizePaymentRequestSchema,
  CapturePaymentRequestSchema,
  CreatePaymentMethodRequestSchema,
  CreatePaymentRequestSchema,
  FindPaymentRequestSchema,
  HandleWebhookRequestSchema,
  ListLedgerRequestSchema,
  Payment_Status,
  RefundPaymentRequestSchema,
  RunReconciliationRequestSchema,
  VoidPaymentRequestSchema,
} from '@souk/contracts/payments/v1/payments';
import { type Context, rootContext, silentLogger } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import { createPolicyRegistry } from '@souk/resilience';
import { signPayload } from '@souk/security';
import { idempotencyMigrations } from '@souk/store';
import { silentTelemetry } from '@souk/telemetry';
import { testDatabase } from '../../../tests/support/database.ts';
import { paymentsSettings } from '../src/config.ts';
import type { PaymentsDeps } from '../src/deps.ts';
import { createParts } from '../src/parts.ts';
import { payments } from '../src/service.ts';
import { paymentsMigrations } from '../src/store/migrations.ts';
import { resumeAttempts } from '../src/usecases/resume-attempts.ts';
import { settleCancelledOrder } from '../src/usecases/settle-cancelled-order.ts';

const API_KEY = 'api-key-for-tests';
export const SECRETS = ['old-secret-for-tests', 'new-secret-for-tests'] as const;

export type World = Awaited<ReturnType<typeof startWorld>>;

/** The service on a real database, with the real provider on a port of its own. Settings make it impatient. */
export async function startWorld(overrides: Record<string, string> = {}) {
  const database = await testDatabase('payments', [idempotencyMigrations, paymentsMigrations]);
  const { db } = database;
  let skippedMs = 0;
  const { clock } = database.runtime;
  const runtime: typeof database.runtime = {
    ...database.runtime,
    clock: { now: () => clock.now() + skippedMs, monotonicMs: () => clock.monotonicMs() + skippedMs },
  };
  const provided = loadSettings({
    sections: { provider: providerSettings },
    env: { PROVIDER_API_KEY: API_KEY, PROVIDER_SLOW: '50ms' },
  }).values.provider;
  const provider: PaymentProvider = createPaymentProvider({ runtime, settings: provided });
  const { url } = await provider.start();
  const settings = loadSettings({
    sections: { payments: paymentsSettings },
    env: {
      PAYMENTS_PROVIDER_URL: url,
      PAYMENTS_PROVIDER_API_KEY: API_KEY,
      PAYMENTS_WEBHOOK_SECRETS: SECRETS.join(','),
      PAYMENTS_CALL_TIMEOUT: '300ms',
      PAYMENTS_RESUME_AFTER: '10ms',
      PAYMENTS_ABANDON_AFTER: '10ms',
      ...overrides,
    },
  }).values.payments;

  const events: { type: string; paymentId: string; orderId: string }[] = [];
  const stops: Array<() => Promise<void>> = [];
  const base = {
    runtime,
    db,
    settings,
    log: silentLogger,
    telemetry: silentTelemetry(runtime, 'payments'),
    parts: undefined,
    calls: {},
    events: {
      publish: async (tx, schema, event) => {
        const { paymentId, orderId } = event as unknown as { paymentId: string; orderId: string };
        tx.afterCommit(() => void events.push({ type: schema.name, paymentId, orderId }));
      },
    },
    sagas: undefined as never,
    eventStore: undefined as never,
    projections: undefined as never,
    policies: createPolicyRegistry({ runtime }),
    count: () => undefined,
    schedule: () => undefined,
    onStop: (stop) => void stops.push(stop),
  } satisfies Parameters<typeof createParts>[0];
  const deps: PaymentsDeps = { ...base, parts: createParts(base) };
  const handlers = await payments.start(deps);

  const userId = runtime.ids.next('usr');
  const root = () => rootContext({ runtime, caller: { roles: [], service: 'orders' } });
  const call = async <T>(work: (ctx: Context) => Promise<T>, timeoutMs = 15_000): Promise<T> => {
    using ctx = root().with({ timeoutMs });
    return work(ctx);
  };
  const keyed = <T>(key: string, work: (ctx: Context) => Promise<T>): Promise<T> =>
    call((ctx) => work(ctx.with({ idempotencyKey: key, caller: { userId: 'admin', roles: ['admin'] } })));
  const eur = (minorUnits: number | bigint) => ({ currency: 'EUR', minorUnits: BigInt(minorUnits) });
  const status = ({ status: value }: { status?: Payment_Status | undefined }) =>
    Payment_Status[value ?? Payment_Status.STATUS_UNSPECIFIED];

  const world = {
    deps,
    provider,
    db,
    runtime,
    events,
    userId,
    handlers,
    call,
    root,
    status,
    order: () => runtime.ids.next('ord'),
    sql: () => db.at(database.ctx),
    method: async (token = 'tok_visa', owner = userId) =>
      String(
        (
          await call((ctx) =>
            handlers.createPaymentMethod(ctx, create(CreatePaymentMethodRequestSchema, { token, userId: owner })),
          )
        ).id,
      ),
    authorize: (orderId: string, paymentMethodId: string, amount: number | bigint = 1000, timeoutMs?: number) =>
      call(
        (ctx) =>
          handlers.authorizePayment(
            ctx,
            create(AuthorizePaymentRequestSchema, { orderId, userId, paymentMethodId, amount: eur(amount) }),
          ),
        timeoutMs,
      ),
    capture: (orderId: string) =>
      call((ctx) => handlers.capturePayment(ctx, create(CapturePaymentRequestSchema, { orderId }))),
    void: (orderId: string) =>
      call((ctx) => handlers.voidPayment(ctx, create(VoidPaymentRequestSchema, { orderId, reason: 'ORDER_REJECTED' }))),
    find: (orderId: string) => call((ctx) => handlers.findPayment(ctx, create(FindPaymentRequestSchema, { orderId }))),
    refund: (id: string, amount: number | undefined, key: string) =>
      keyed(key, (ctx) =>
        handlers.refundPayment(
          ctx,
          create(RefundPaymentRequestSchema, { id, ...(amount !== undefined && { amount: eur(amount) }), reason: 'x' }),
        ),
      ),
    charge: (paymentMethodId: string, amount: number, key: string) =>
      keyed(key, (ctx) =>
        handlers.createPayment(
          ctx,
          create(CreatePaymentRequestSchema, { userId, paymentMethodId, amount: eur(amount) }),
        ),
      ),
    reconcile: () => call((ctx) => handlers.runReconciliation(ctx, create(RunReconciliationRequestSchema, {}))),
    ledger: async (paymentId = '') =>
      (await call((ctx) => handlers.listLedger(ctx, create(ListLedgerRequestSchema, { paymentId, pageSize: 100 }))))
        .entries ?? [],
    /** As if so many milliseconds had gone by. */
    skip: (ms: number) => {
      skippedMs += ms;
    },
    resume: () => call((ctx) => resumeAttempts(deps)(ctx)),
    /** As a delivery of the event; the same `delivered` set makes it a repeat. */
    cancel: (orderId: string, delivered = new Set<string>()) =>
      call((ctx) =>
        settleCancelledOrder(deps)(
          ctx,
          create(OrderCancelledSchema, { orderId, userId }),
          delivery(orderId, delivered),
        ),
      ),
    webhook: (
      event: unknown,
      sign: Partial<{ secret: string; ageMs: number; signature: string; provider: string }> = {},
    ) => {
      const payload = Buffer.from(JSON.stringify(event));
      const timestamp = String(Math.floor((runtime.clock.now() - (sign.ageMs ?? 0)) / 1000));
      const signature = sign.signature ?? signPayload(sign.secret ?? SECRETS[1], { timestamp, body: payload });
      const request = create(HandleWebhookRequestSchema, {
        provider: sign.provider ?? 'simulator',
        payload,
        signature,
        timestamp,
      });
      return call((ctx) => handlers.handleWebhook(ctx, request));
    },
    /** Charges of the provider for a payment. */
    charges: (paymentId: string) => provider.inspect.charges().filter(({ reference }) => reference === paymentId),
    eventsOf: (orderId: string) => events.filter((event) => event.orderId === orderId).map(({ type }) => type),
    close: async () => {
      for (const stop of stops) await stop();
      await provider.stop();
      await database.close();
    },
  };

  const delivery = (id: string, delivered: Set<string>): Delivery => ({
    envelope: undefined as never,
    attempt: 1,
    once: async (work) => {
      if (delivered.has(id)) return undefined;
      const result = await db.tx(database.ctx, work);
      delivered.add(id);
      return result;
    },
  });
  return world;
}
