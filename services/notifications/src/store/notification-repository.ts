import type { Sql } from '@souk/store';
import type { ChannelName } from '../channels.ts';

export type NotificationStatus = 'QUEUED' | 'SENT' | 'FAILED' | 'SUPPRESSED';

export interface Notification {
  readonly id: string;
  readonly user_id: string;
  readonly channel: ChannelName;
  readonly template: string;
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
  readonly status: NotificationStatus;
  readonly attempts: number;
  readonly created_at: Date;
  readonly sent_at: Date | null;
}

/** One message for one channel. */
export interface Draft {
  readonly id: string;
  readonly channel: ChannelName;
  readonly recipient: string;
  /** QUEUED for a transport, SENT when the mailbox is all there is, SUPPRESSED when the user does not want it. */
  readonly status: NotificationStatus;
}

const INSERT = `
  insert into notification (id, user_id, channel, template, recipient, subject, body, status, dedup_key, created_at, due_at, sent_at)
  select d.id, $5, d.channel, $6, d.recipient, $7, $8, d.status, $9, $10::timestamptz,
    case when d.status = 'QUEUED' then $10::timestamptz end, case when d.status = 'SENT' then $10::timestamptz end
  from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as d(id, channel, recipient, status)
  on conflict (dedup_key, channel) do nothing
  returning *`;

/** Makes what was not made before. @returns the new ones */
export async function insertNotifications(
  sql: Sql,
  message: { userId: string; template: string; subject: string; body: string; dedupKey: string },
  drafts: readonly Draft[],
  now: Date,
): Promise<Notification[]> {
  const { rows } = await sql.query<Notification>(INSERT, [
    drafts.map(({ id }) => id),
    drafts.map(({ channel }) => channel),
    drafts.map(({ recipient }) => recipient),
    drafts.map(({ status }) => status),
    message.userId,
    message.template,
    message.subject,
    message.body,
    message.dedupKey,
    now,
  ]);
  return rows;
}

export async function findByDedupKey(sql: Sql, dedupKey: string): Promise<Notification[]> {
  const { rows } = await sql.query<Notification>('select * from notification where dedup_key = $1 order by id', [
    dedupKey,
  ]);
  return rows;
}

/** Greater than every id. */
const AFTER_ALL = 'ntf_~';

/** Newest first. @param query.userId undefined: everybody's. @param query.before Only those with a smaller id. */
export async function listNotifications(
  sql: Sql,
  query: { userId: string | undefined; before: string | undefined; limit: number },
): Promise<Notification[]> {
  const { userId, before = AFTER_ALL, limit } = query;
  const { rows } =
    userId === undefined
      ? await sql.query<Notification>('select * from notification where id < $1 order by id desc limit $2', [
          before,
          limit,
        ])
      : await sql.query<Notification>(
          'select * from notification where user_id = $1 and id < $2 order by id desc limit $3',
          [userId, before, limit],
        );
  return rows;
}

const CLAIM = `
  update notification n set attempts = n.attempts + 1, due_at = $2
  from (
    select id from notification where status = 'QUEUED' and due_at <= $1 order by due_at limit $3 for update skip locked
  ) due
  where n.id = due.id
  returning n.*`;

/**
 * Takes messages that are due. The attempt is counted, and the next one scheduled, before anything is sent: a message that ends the process
 * does not come back for ever.
 */
export async function claimDue(sql: Sql, now: Date, again: Date, limit: number): Promise<Notification[]> {
  const { rows } = await sql.query<Notification>(CLAIM, [now, again, limit]);
  return rows;
}

/** @param due When to try again; null: never. */
export async function settle(
  sql: Sql,
  id: string,
  outcome: { status: NotificationStatus; due: Date | null; sentAt: Date | null },
): Promise<void> {
  await sql.query('update notification set status = $2, due_at = $3, sent_at = $4 where id = $1', [
    id,
    outcome.status,
    outcome.due,
    outcome.sentAt,
  ]);
}

const GIVE_BACK = `
  update notification set attempts = attempts - 1, due_at = $2 where id = $1 and status = 'QUEUED' and attempts > 0`;

/** A message that was taken and not tried: the attempt does not count. */
export async function giveBack(sql: Sql, id: string, due: Date): Promise<void> {
  await sql.query(GIVE_BACK, [id, due]);
}

export async function eraseUser(sql: Sql, userId: string): Promise<void> {
  await sql.query('delete from notification where user_id = $1', [userId]);
  await sql.query('delete from preference where user_id = $1', [userId]);
}
