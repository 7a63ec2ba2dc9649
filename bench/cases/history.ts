import { type BenchServer, runEngine, startServer } from '../lib/engines.ts';
import { alone, type Result } from '../lib/result.ts';
import type { Bench } from '../main.ts';
import type { OutboxReport } from '../peers/outbox/souk.ts';
import { once } from './outbox.ts';

const ROWS = [0, 1_000_000, 10_000_000];
const QUICK_ROWS = [0, 100_000];
const SLICE = 250_000;
/** Records in the journal of one saga of four steps. */
const RECORDS = 6;

/** What is there before the work is measured: rows that look like those the work leaves behind. */
const HISTORY: Readonly<Record<'saga' | 'events' | 'inbox', readonly string[]>> = {
  saga: [
    `INSERT INTO souk.saga (id, name, version, shape, status, direction, epoch, claims, seq, created_at, ended_at)
     SELECT 'old-' || n, 'place-order', 1, 'old', 'COMPLETED', 'forward', 1, 0, ${RECORDS}, now() - interval '1 day', now() - interval '1 day'
       FROM generate_series($1::int8 / ${RECORDS}, $2::int8 / ${RECORDS} - 1) n`,
    `INSERT INTO souk.saga_journal (saga_id, seq, kind, step, attempt, epoch, body)
     SELECT 'old-' || n, seq, 2, 'reserve', 1, 1, '{"result": {"reserve": "0123456789abcdef"}}'
       FROM generate_series($1::int8 / ${RECORDS}, $2::int8 / ${RECORDS} - 1) n, generate_series(1, ${RECORDS}) seq`,
  ],
  events: [
    `INSERT INTO souk.es_stream (stream, version, epoch, xid)
     SELECT 'order-old-' || n, 1, 1, pg_current_xact_id() FROM generate_series($1::int8, $2::int8 - 1) n`,
    `INSERT INTO souk.es_event (epoch, stream, version, event_id, type, schema_version, data, metadata, at)
     SELECT 1, 'order-old-' || n, 1, gen_random_uuid(), 'OrderPlaced', 1, '{"total": 1999, "currency": "EUR"}', '{}', now()
       FROM generate_series($1::int8, $2::int8 - 1) n`,
  ],
  inbox: [
    `INSERT INTO souk.inbox (consumer, source, id, received_at)
     SELECT 'consumer', '/souk/publisher', gen_random_uuid()::text, now() - interval '1 day' FROM generate_series($1::int8, $2::int8 - 1) n`,
  ],
};

export const history: Bench = {
  summary: 'sagas, appends and events through the inbox per second, behind a history of up to ten million rows',
  run: async ({ quick, note }) => {
    const server = await startServer();
    const figures: Result[] = [];
    const steps = quick ? QUICK_ROWS : ROWS;
    try {
      for (const [index, rows] of steps.entries()) {
        if (index > 0) await fill(server, steps[index - 1] ?? 0, rows, note);
        figures.push(...(await measure(server, rows, quick, note)));
      }
      return figures;
    } finally {
      await server.stop();
    }
  },
};

async function fill(server: BenchServer, from: number, to: number, note: (line: string) => void): Promise<void> {
  for (let begin = from; begin < to; begin += SLICE) {
    const end = Math.min(to, begin + SLICE);
    for (const sql of HISTORY.saga) await server.run('saga-souk', sql, [begin, end]);
    for (const sql of HISTORY.events) await server.run('events-souk', sql, [begin, end]);
    for (const sql of HISTORY.inbox) await server.run('outbox-consumer-in-process', sql, [begin, end]);
    note(`${end} rows of history`);
  }
  for (const name of ['saga-souk', 'events-souk', 'outbox-consumer-in-process']) await server.run(name, 'ANALYZE');
  await server.run('saga-souk', 'CHECKPOINT');
}

async function measure(
  server: BenchServer,
  rows: number,
  quick: boolean,
  note: (line: string) => void,
): Promise<Result[]> {
  const name = `history-${rows}`;
  const sagas: number[] = [];
  const events: number[] = [];
  const messages: OutboxReport[] = [];
  for (let round = 1; round <= (quick ? 1 : 3); round++) {
    const order = { seconds: quick ? 2 : 8, warmUpSeconds: 2, units: 0 };
    const saga = await runEngine('saga/souk', { ...order, url: await server.urlOf('saga-souk'), concurrency: 32 });
    const event = await runEngine('events/souk', { ...order, url: await server.urlOf('events-souk'), concurrency: 16 });
    const message = await once(server, 'in-process', '', quick);
    for (const problem of [...saga.violations, ...event.violations]) throw new Error(problem);
    sagas.push(saga.perSecond);
    events.push(event.perSecond);
    messages.push(message);
    note(
      `${name} round ${round}: ${saga.perSecond.toFixed(0)} sagas/s, ${event.perSecond.toFixed(0)} events/s, ${message.perSecond.toFixed(0)} messages/s, p50 ${message.latenciesMs.p50.toFixed(2)} ms`,
    );
  }
  return [
    alone('history', name, 'sagas_per_second', '1/s', sagas),
    alone('history', name, 'events_per_second', '1/s', events),
    alone(
      'history',
      name,
      'messages_per_second',
      '1/s',
      messages.map(({ perSecond }) => perSecond),
    ),
    alone(
      'history',
      name,
      'message_p50_ms',
      'ms',
      messages.map(({ latenciesMs }) => latenciesMs.p50),
    ),
  ];
}
