import type { Migration } from '@souk/store';

export const notificationsMigrations: readonly Migration[] = [
  {
    id: 'notifications/0001-notifications',
    // A message is made once per (dedup_key, channel), however often it is asked for.
    sql: `
      create table notification (
        id text primary key,
        user_id text not null,
        channel text not null check (channel in ('EMAIL', 'SMS', 'PUSH')),
        template text not null,
        recipient text not null,
        subject text not null,
        body text not null,
        status text not null check (status in ('QUEUED', 'SENT', 'FAILED', 'SUPPRESSED')),
        dedup_key text not null,
        attempts int not null default 0,
        due_at timestamptz,
        created_at timestamptz not null,
        sent_at timestamptz,
        unique (dedup_key, channel)
      );
      create index notification_user on notification (user_id, id desc);
      create index notification_due on notification (due_at) where status = 'QUEUED';

      create table preference (
        user_id text primary key,
        email boolean not null,
        sms boolean not null,
        push boolean not null,
        version int not null default 1
      );
    `,
  },
];
