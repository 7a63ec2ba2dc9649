import { type Code, type Context, fromUnknown, type SoukError } from '@souk/kernel';
import { isRejection } from '@souk/resilience';
import type { ChannelName, Transport } from '../channels.ts';
import type { NotificationsDeps } from '../deps.ts';
import { claimDue, giveBack, type Notification, settle } from '../store/notification-repository.ts';

const BATCH = 20;
const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 3_600_000;
/** Failures that say nothing about the message: a bug or a silence of its transport. */
const REPEATED: readonly Code[] = ['internal', 'unknown', 'deadline_exceeded', 'canceled'];
/** Time one attempt may take. */
const ATTEMPT_MS = 30_000;
/** What the transports of a channel go through. */
const POLICIES: Readonly<Record<ChannelName, string>> = { EMAIL: 'email:smtp', SMS: 'email:sms', PUSH: 'email:push' };
/** Shortest wait of a message that was not tried, and the spread of those that come back. Milliseconds. */
const SPARED_MS = 1000;

/**
 * Hands due messages to their transports, until none is due. At least once: a process that dies after a transport took a message and before
 * that is noted sends it again, under the same id. A transport that is down is spared: its messages wait, and no attempt of theirs is used up.
 */
export const deliverDue = (deps: NotificationsDeps) => async (ctx: Context) => {
  let claimed: readonly Notification[];
  let spared: boolean;
  do {
    const now = deps.runtime.clock.now();
    const again = new Date(now + FIRST_WAIT_MS + ATTEMPT_MS);
    claimed = await claimDue(deps.db.at(ctx), new Date(now), again, BATCH);
    const tried = await Promise.all(claimed.map((notification) => deliver(deps, ctx, notification)));
    spared = tried.includes(false);
    // Those behind would be turned away as well.
  } while (claimed.length === BATCH && !spared);
};

/** @returns whether it was tried */
async function deliver(deps: NotificationsDeps, ctx: Context, notification: Notification): Promise<boolean> {
  const { id, channel } = notification;
  const transport = deps.parts.channels[channel] as Transport | undefined;
  const outcome = await outcomeOf(deps, ctx, transport, notification);
  const sql = deps.db.at(ctx);
  if (outcome.status !== 'SPARED') {
    await settle(sql, id, outcome);
    return true;
  }
  await giveBack(sql, id, outcome.due);
  return false;
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
  const { id, channel, recipient, subject, body, attempts } = notification;
  const policy = deps.policies.policy(POLICIES[channel], 'email');
  using limited = ctx.with({ timeoutMs: ATTEMPT_MS });
  try {
    const send = () => transport.send(limited, { id, recipient, subject, body });
    await policy.run(send, { deadlineMs: limited.deadlineMs, idempotent: false });
    deps.count('notification_sent');
    return sent(deps);
  } catch (thrown) {
    // The service stops: the message stays queued, and comes again when its time is over.
    ctx.throwIfDone();
    const error = fromUnknown(thrown);
    if (isRejection(error)) return spared(deps, error);
    const final = error.retry.kind === 'never' && !REPEATED.includes(error.code);
    if (final || attempts >= deps.settings.attempts) return failed(deps, notification, error.reason);
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (attempts - 1), LONGEST_WAIT_MS);
    deps.log.warn('a notification will be tried again', { id, attempts, reason: error.reason, waitMs });
    return { status: 'QUEUED', due: new Date(deps.runtime.clock.now() + waitMs), sentAt: null } as const;
  }
}

/** When it is to be asked again. Not noted in the log for each message: the breaker is. */
function spared({ runtime }: NotificationsDeps, { retry }: SoukError) {
  const afterMs = retry.kind === 'later' ? (retry.afterMs ?? 0) : 0;
  const due = new Date(runtime.clock.now() + Math.max(afterMs, SPARED_MS) + runtime.random.next() * SPARED_MS);
  return { status: 'SPARED', due } as const;
}

function failed(deps: NotificationsDeps, { id, attempts }: Notification, reason: string) {
  deps.log.error('a notification could not be delivered', { id, attempts, reason });
  deps.count('notification_failed');
  return { status: 'FAILED', due: null, sentAt: null } as const;
}

const sent = (deps: NotificationsDeps) =>
  ({ status: 'SENT', due: null, sentAt: new Date(deps.runtime.clock.now()) }) as const;
