import type { Migration } from '@souk/store';

export const usersMigrations: readonly Migration[] = [
  {
    id: 'users/0001-accounts',
    // A closed account keeps its id, so that orders may go on naming it, and nothing of the person. search holds the keys and the folded name
    // that an administrator looks for.
    sql: `
      create table account (
        id text primary key,
        status text not null check (status in ('ACTIVE', 'DELETED')),
        email text,
        email_key text constraint account_email unique,
        username text,
        username_key text constraint account_username unique,
        password_hash text,
        roles text[] not null,
        profile jsonb not null,
        preferences jsonb not null,
        search text not null,
        version int not null default 1,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        check (status = 'DELETED' or (email_key is not null and username_key is not null and password_hash is not null)),
        check (status = 'ACTIVE' or (email is null and email_key is null and username is null and username_key is null
          and password_hash is null and profile = '{}' and preferences = '{}' and search = ''))
      );

      create table login_failure (
        key text primary key,
        count int not null,
        last_at timestamptz not null
      );
      create index login_failure_by_time on login_failure (last_at);

      create table session (
        id text primary key,
        user_id text not null references account,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        ended_at timestamptz
      );
      create index session_by_user on session (user_id);
      create index session_by_expiry on session (expires_at);

      create table refresh_token (
        hash text primary key,
        session_id text not null references session on delete cascade,
        used_at timestamptz
      );
      create index refresh_token_by_session on refresh_token (session_id);

      create table signing_key (
        generation int primary key,
        kid text not null unique,
        private_key text not null,
        signs_from timestamptz not null
      );
    `,
  },
];
