/*
 * Events on their way to the client: written with the change they tell of, sent until the client answers 2xx.
 *
 *   queued --2xx--> gone      queued --anything else--> queued, due later      queued, three days old --> gone, logged
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Logger, Runtime, Timer } from '@souk/kernel';
import { signPayload } from '@souk/security';
import type { Charge } from './charge.ts';
import type { Faults } from './faults.ts';
import type { ProviderSettings } from './settings.ts';
import type { WebhookEvent, WebhookType } from './webhook-event.ts';
import { createWebhookPost } from './webhook-post.ts';

export interface WebhookQueue {
  /** Inside the transaction of the change. */
  add(type: WebhookType, charge: Charge): void;
  /** Sends what is due. */
  wake(): void;
  /** After each commit: sends what it added, if anything. */
  committed(): void;
  readonly waiting: number;
  stop(): Promise<void>;
}

interface Due {
  readonly sequence: number;
  readonly body: string;
  readonly created_at: number;
  readonly attempts: number;
}

const LONGEST_RETRY_MS = 3_600_000;
const GIVE_UP_MS = 3 * 86_400_000;
const NO_EVENTS: ReadonlySet<string> = new Set();

export function createWebhookQueue(options: {
  readonly db: DatabaseSync;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly settings: ProviderSettings;
  readonly faults: Faults;
}): WebhookQueue {
  const { db, runtime, log, settings, faults } = options;
  const { webhookUrl: url, webhookSecret: secret } = settings;
  const wanted = url === undefined || secret === undefined ? NO_EVENTS : new Set<string>(settings.webhookEvents);
  const insert = db.prepare('insert into webhook (body, created_at, due_at) values (?, ?, ?)');
  const setBody = db.prepare('update webhook set body = ? where sequence = ?');
  const due = db.prepare(
    'select sequence, body, created_at, attempts from webhook where due_at <= ? order by due_at, sequence limit ?',
  );
  const nextDue = db.prepare('select min(due_at) as at from webhook where due_at > ?');
  const remove = db.prepare('delete from webhook where sequence = ?');
  const postpone = db.prepare('update webhook set due_at = ?, attempts = attempts + 1 where sequence = ?');
  const total = db.prepare('select count(*) as n from webhook');
  const post = createWebhookPost(runtime, settings.webhookConcurrency, settings.webhookTimeout);

  const underway = new Map<number, Promise<void>>();
  let timer: Timer | undefined;
  let stopped = false;

  const send = async (event: Due): Promise<void> => {
    const body = Buffer.from(event.body);
    const timestamp = String(Math.floor(runtime.clock.now() / 1000));
    const signature = signPayload(secret ?? '', { timestamp, body });
    const headers = { 'souk-signature': signature, 'souk-timestamp': timestamp };
    const times = settings.webhookTwice || faults.doubleWebhooks ? 2 : 1;
    let taken = true;
    for (let n = 0; n < times; n++) taken = (await post(url ?? '', body, headers)) && taken;
    if (stopped) return;
    if (taken) remove.run(event.sequence);
    else retryLater(event);
  };

  const retryLater = (event: Due): void => {
    const now = runtime.clock.now();
    if (now - event.created_at > GIVE_UP_MS) {
      log.error('an event was never taken and is given up', { sequence: event.sequence });
      remove.run(event.sequence);
      return;
    }
    const delayMs = Math.min(LONGEST_RETRY_MS, settings.webhookRetry * 2 ** Math.min(event.attempts, 20));
    postpone.run(now + delayMs, event.sequence);
  };

  /** Whether an event was added since the last commit. */
  let added = false;

  const wake = (): void => {
    if (stopped || wanted.size === 0 || faults.holdWebhooks) return;
    timer?.cancel();
    const free = settings.webhookConcurrency - underway.size;
    if (free <= 0) return;
    const now = runtime.clock.now();
    const found = due.all(now, settings.webhookConcurrency) as unknown as Due[];
    const next = found.filter(({ sequence }) => !underway.has(sequence)).slice(0, free);
    for (const event of next) {
      const done = send(event).finally(() => {
        underway.delete(event.sequence);
        wake();
      });
      underway.set(event.sequence, done);
    }
    if (underway.size > 0) return;
    const at = nextDue.get(now)?.at;
    if (typeof at === 'number') timer = runtime.timers.after(at - now, wake);
  };

  return {
    add: (type, charge) => {
      if (!wanted.has(type)) return;
      added = true;
      const now = runtime.clock.now();
      const sequence = Number(insert.run('', now, now).lastInsertRowid);
      const createdAt = new Date(now).toISOString();
      const event: WebhookEvent = { id: runtime.ids.next('evt'), type, createdAt, sequence, data: charge };
      setBody.run(JSON.stringify(event), sequence);
    },
    wake,
    committed: () => {
      if (!added) return;
      added = false;
      wake();
    },
    get waiting() {
      return Number(total.get()?.n);
    },
    stop: async () => {
      stopped = true;
      timer?.cancel();
      post.close();
      await Promise.allSettled(underway.values());
    },
  };
}
