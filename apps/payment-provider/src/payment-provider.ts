import { type Logger, type Runtime, silentLogger } from '@souk/kernel';
import { createApi } from './api.ts';
import { createBook } from './book.ts';
import type { Charge, LedgerEntry } from './charge.ts';
import { openDatabase } from './database.ts';
import { type Faults, noFaults } from './faults.ts';
import { createHttpServer } from './http-server.ts';
import type { ProviderSettings } from './settings.ts';
import { behaviourOf } from './token.ts';
import { createWebhookQueue } from './webhook-queue.ts';

export interface PaymentProviderOptions {
  readonly runtime: Runtime;
  readonly settings: ProviderSettings;
  readonly log?: Logger;
}

/** A payment provider at work. */
export interface PaymentProvider {
  /** Listens. @returns where, without a path */
  start(): Promise<{ readonly url: string }>;
  /** Cuts connections and closes the file. What was committed stays. */
  stop(): Promise<void>;
  /** What goes wrong on purpose; change it at any time. */
  readonly faults: Faults;
  /** For audits, while it runs. */
  readonly inspect: {
    charges(): readonly Charge[];
    /** The whole ledger. */
    ledger(): readonly LedgerEntry[];
    /** Events that were not taken yet. */
    waitingWebhooks(): number;
  };
  /** Sends events that wait: after `faults.holdWebhooks` was taken back. */
  wakeWebhooks(): void;
}

/** How long a refund of tok_refund_fails_late seems to have succeeded, in milliseconds. */
const LATE_FAILURE_MS = 1000;

/** An outside payment provider with a ledger of its own. Knows nothing of the shop. */
export function createPaymentProvider(options: PaymentProviderOptions): PaymentProvider {
  const { runtime, settings, log = silentLogger } = options;
  const faults = noFaults();
  const db = openDatabase(settings.file, settings.durability);
  const webhooks = createWebhookQueue({ db, runtime, log, settings, faults });
  const book = createBook(db, runtime, webhooks.add);
  const quirkOf = db.prepare('select token from charge where id = ?');
  const onLateFailure = (chargeId: string, refundId: string): void => {
    if (behaviourOf(quirkOf.get(chargeId)?.token as string)?.quirk !== 'refund-fails-late') return;
    runtime.timers.after(LATE_FAILURE_MS, () => {
      if (!db.isOpen) return;
      db.exec('begin immediate');
      book.failRefund(chargeId, refundId);
      db.exec('commit');
      webhooks.wake();
    });
  };
  const api = createApi({
    db,
    book,
    runtime,
    faults,
    slowMs: settings.slow,
    onLateFailure,
    onCommit: webhooks.committed,
  });
  const server = createHttpServer({ api, apiKey: settings.apiKey, faults, log });
  return {
    faults,
    inspect: {
      charges: () => book.charges(),
      ledger: () => book.ledger(0, 0, -1),
      waitingWebhooks: () => webhooks.waiting,
    },
    wakeWebhooks: webhooks.wake,
    start: async () => {
      const url = await server.listen(settings.port, settings.host);
      webhooks.wake();
      log.info('the payment provider listens', { url });
      return { url };
    },
    stop: async () => {
      await server.close();
      await webhooks.stop();
      db.close();
    },
  };
}
