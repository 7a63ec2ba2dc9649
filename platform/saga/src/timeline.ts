import type { Sql } from '@souk/store';
import type { Json, SagaFailure } from './definition.ts';
import { kindOf } from './journal.ts';
import type { SagaEvent, SagaState, SagaStatus } from './sagas.ts';

interface StateRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly status: SagaStatus;
  readonly direction: 'forward' | 'backward';
  readonly failure: SagaFailure | null;
}

export async function findSaga(sql: Sql, id: string): Promise<SagaState | undefined> {
  const { rows } = await sql.query<StateRow>(
    // 5 TURNED, 15 STUCK
    `SELECT s.id, s.name, s.version, s.status, s.direction,
            (SELECT j.body -> 'failure' FROM souk.saga_journal j
              WHERE j.saga_id = s.id AND j.kind IN (5, 15) ORDER BY j.seq DESC LIMIT 1) AS failure
       FROM souk.saga s WHERE s.id = $1`,
    [id],
  );
  const row = rows[0];
  return row && { ...row, failure: row.failure ?? undefined };
}

interface EventRow {
  readonly seq: number;
  readonly kind: number;
  readonly step: string | null;
  readonly attempt: number | null;
  readonly at: Date;
  readonly body: Json;
}

export async function readJournal(sql: Sql, id: string): Promise<readonly SagaEvent[]> {
  const { rows } = await sql.query<EventRow>(
    'SELECT seq, kind, step, attempt, at, body FROM souk.saga_journal WHERE saga_id = $1 ORDER BY seq',
    [id],
  );
  return rows.map((row) => ({
    ...row,
    kind: kindOf(row.kind),
    step: row.step ?? undefined,
    attempt: row.attempt ?? undefined,
  }));
}
