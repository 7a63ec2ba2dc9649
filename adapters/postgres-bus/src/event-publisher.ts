import { type Context, fromUnknown, isSoukError, type SoukError } from '@souk/kernel';
import { type Envelope, messagingErrors } from '@souk/messaging';
import { SLOTS } from './migrations.ts';
import type { PostgresBusSettings } from './options.ts';

/** An event in several queues is a row in each. Waiting ones are known by source and id; publishing them again changes nothing. */
const PUBLISH = `
  /* bus-publish */
  WITH sent AS (
    INSERT INTO souk.bus_event (group_id, slot, id, source, type, schema, key, time, traceparent, causation_id, extensions, data)
    SELECT i.group_id,
      (hashtextextended(CASE WHEN i.ordered THEN e.source || '#' || e.key ELSE e.source || '!' || e.id END, 0) & ${SLOTS - 1})::smallint,
      e.id, e.source, e.type, e.schema, e.key, e.time, e.traceparent, e.causation_id, e.extensions::jsonb, e.data
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[])
      WITH ORDINALITY AS e (id, source, type, schema, key, time, traceparent, causation_id, extensions, data, n)
    JOIN souk.bus_interest i ON i.type = e.type
    ORDER BY e.n
    ON CONFLICT (id, source, group_id) DO NOTHING
    RETURNING group_id, slot
  )
  SELECT DISTINCT s.group_id, s.slot::int AS slot, s.owner FROM sent JOIN souk.bus_slot s USING (group_id, slot)`;

/** Statements at the same time; more calls than that go together. */
const MOST_STATEMENTS = 2;
/** What one statement carries, unless a single call has more. */
const BATCH_EVENTS = 500;
const BATCH_BYTES = 4 * 1024 * 1024;

/** A slot that was filled, and the member that has it. */
export interface Filled {
  readonly group_id: number;
  readonly slot: number;
  readonly owner: string | null;
}

interface Call {
  readonly envelopes: readonly Envelope[];
  readonly bytes: number;
  readonly done: PromiseWithResolvers<void>;
}

/** Writes events into the queues of all groups that hear them. Calls that come while others are written go together. */
export class EventPublisher {
  readonly #settings: PostgresBusSettings;
  readonly #context: () => Context;
  readonly #onFilled: (filled: readonly Filled[]) => void;
  readonly #onTrouble: (error: unknown) => void;
  readonly #calls: Call[] = [];
  #waiting = 0;
  #statements = 0;

  constructor(
    settings: PostgresBusSettings,
    context: () => Context,
    onFilled: (filled: readonly Filled[]) => void,
    onTrouble: (error: unknown) => void,
  ) {
    this.#settings = settings;
    this.#context = context;
    this.#onFilled = onFilled;
    this.#onTrouble = onTrouble;
  }

  /** @throws MESSAGING_BUS_FULL, MESSAGING_BUS_UNAVAILABLE */
  publish(envelopes: readonly Envelope[]): Promise<void> {
    if (this.#waiting > 0 && this.#waiting + envelopes.length > this.#settings.capacity) {
      return Promise.reject(messagingErrors.BUS_FULL({ subscription: 'the postgres bus' }, { afterMs: 100 }));
    }
    const bytes = envelopes.reduce((sum, { data }) => sum + data.length, 0);
    const call = { envelopes, bytes, done: Promise.withResolvers<void>() };
    this.#calls.push(call);
    this.#waiting += envelopes.length;
    // The other calls of this turn come along.
    queueMicrotask(() => this.#pump());
    return call.done.promise;
  }

  #pump(): void {
    while (this.#statements < MOST_STATEMENTS && this.#calls.length > 0) {
      this.#statements++;
      void this.#send(this.#takeBatch()).finally(() => {
        this.#statements--;
        this.#pump();
      });
    }
  }

  #takeBatch(): Call[] {
    const batch: Call[] = [];
    let [events, bytes] = [0, 0];
    for (let next = this.#calls[0]; next !== undefined; next = this.#calls[0]) {
      events += next.envelopes.length;
      bytes += next.bytes;
      if (batch.length > 0 && (events > BATCH_EVENTS || bytes > BATCH_BYTES)) break;
      batch.push(next);
      this.#calls.shift();
    }
    return batch;
  }

  async #send(batch: readonly Call[]): Promise<void> {
    try {
      await this.#write(batch);
      for (const call of batch) this.#settle(call);
    } catch (thrown) {
      // One that can never be written must not take the others with it.
      const alone = batch.length > 1 && isSoukError(thrown) && thrown.retry.kind === 'never';
      if (alone) for (const call of batch) await this.#send([call]);
      else for (const call of batch) this.#settle(call, failure(thrown));
      if (!alone) this.#onTrouble(thrown);
    }
  }

  #settle({ envelopes, done }: Call, error?: SoukError): void {
    this.#waiting -= envelopes.length;
    if (error === undefined) done.resolve();
    else done.reject(error);
  }

  async #write(batch: readonly Call[]): Promise<void> {
    const all = batch.flatMap(({ envelopes }) => envelopes);
    using ctx = this.#context();
    const { rows } = await this.#settings.db
      .at(ctx)
      .query<Filled>(PUBLISH, [
        all.map(({ id }) => id),
        all.map(({ source }) => source),
        all.map(({ type }) => type),
        all.map(({ schema }) => schema),
        all.map(({ key }) => key),
        all.map(({ time }) => time),
        all.map(({ traceparent }) => traceparent),
        all.map(({ causationId }) => causationId ?? null),
        all.map(({ extensions }) => (extensions === undefined ? null : JSON.stringify(extensions))),
        all.map(({ data }) => data),
      ]);
    this.#onFilled(rows);
  }
}

function failure(thrown: unknown): SoukError {
  const error = fromUnknown(thrown);
  if (error.retry.kind === 'never') return error;
  return messagingErrors.BUS_UNAVAILABLE({ bus: 'postgres', why: error.message }, { cause: error });
}
