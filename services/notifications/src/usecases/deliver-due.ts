import { type Code, type Context, fromUnknown } from '@souk/kernel';
import type { Transport } from '../channels.ts';
import type { NotificationsDeps } from '../deps.ts';
import { claimDue, type Notification, settle } from '../store/notification-repository.ts';

const BATCH = 20;
const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 3_600_000;
/** Failures that say nothing about the message: a bug or a silence of its transport. */
const REPEATED: readonly Code[] = ['internal', 'unknown', 'deadline_exceeded', 'canceled'];
/** Time one attempt may take. */
const ATTEMPT_MS = 30_000;

/**
 * Hands due messages to their transports, until none is due. At least once: a process that dies after a transport took a message and before
 * that is noted sends it again, under the same id.
 */
export const deliverDue = (deps: NotificationsDeps) => async (ctx: Context) => {
  let claimed: readonly Notification[];
  do {
    const now = deps.runtime.clock.now();
    const again = new Date(now + FIRST_WAIT_MS + ATTEMPT_MS);
    claimed = await claimDue(deps.db.at(ctx), new Date(now), again, BATCH);
    await Promise.all(claimed.map((notification) => deliver(deps, ctx, notification)));
  } while (claimed.length === BATCH);
};

async function deliver(deps: NotificationsDeps, ctx: Context, notification: Notification): Promise<void> {
  const transport = deps.parts.channels[notification.channel] as Transport | undefined;
  await settle(deps.db.at(ctx), notification.id, await outcomeOf(deps, ctx, transport, notification));
}

async function outcomeOf(
  deps: NotificationsDeps,
  ctx: Context,
  transport: Transport | undefined,
  notification: Notification,
) {
  // The transport was configured when the message was made and no longer is: the mailbox has it.
  if (transport === undefined) return sent(deps);
  // Its last attempt never came to an end: perhaps it is what ends the process.
  if (notification.attempts > deps.settings.attempts) return failed(deps, notification, 'ATTEMPTS_LOST');
  return attempt(deps, ctx, transport, notification);
}

async function attempt(deps: NotificationsDeps, ctx: Context, transport: Transport, notification: Notification) {
  const { id, recipient, subject, body, attempts } = notification;
  using limited = ctx.with({ timeoutMs: ATTEMPT_MS });
  try {
    await transport.send(limited, { id, recipient, subject, body });
    deps.count('notification_sent');
    return sent(deps);
  } catch (thrown) {
    // The service stops: the message stays queued, and comes again when its time is over.
    ctx.throwIfDone();
    const error = fromUnknown(thrown);
    const final = error.retry.kind === 'never' && !REPEATED.includes(error.code);
    if (final || attempts >= deps.settings.attempts) return failed(deps, notification, error.reason);
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (attempts - 1), LONGEST_WAIT_MS);
    deps.log.warn('a notification will be tried again', { id, attempts, reason: error.reason, waitMs });
    return { status: 'QUEUED', due: new Date(deps.runtime.clock.now() + waitMs), sentAt: null } as const;
  }
}

function failed(deps: NotificationsDeps, { id, attempts }: Notification, reason: string) {
  deps.log.error('a notification could not be delivered', { id, attempts, reason });
  deps.count('notification_failed');
  return { status: 'FAILED', due: null, sentAt: null } as const;
}

const sent = (deps: NotificationsDeps) =>
  ({ status: 'SENT', due: null, sentAt: new Date(deps.runtime.clock.now()) }) as const;
