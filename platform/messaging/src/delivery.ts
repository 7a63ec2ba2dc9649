import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { type Context, fromUnknown, newTrace, type Runtime, rootContext, type SoukError } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import { parseTraceparent, type Telemetry } from '@souk/telemetry';
import type { DeadLetterPolicy, Delivery, EventHandler } from './consumer.ts';
import type { Envelope } from './envelope.ts';
import { messagingErrors } from './errors.ts';
import { HAS_KEY } from './retry-table.ts';

/** What a consumer does with one type of event. */
export interface Route {
  readonly type: string;
  readonly schema: DescMessage;
  readonly ordered: boolean;
  readonly onDeadLetter: DeadLetterPolicy;
  readonly handle: EventHandler;
}

export interface AttemptInit {
  readonly route: Route;
  readonly envelope: Envelope;
  /** 1 for the first. */
  readonly attempt: number;
  /** Under which later events wait for this one. */
  readonly key: string;
  /** False for an event that is at the head of its key in the retry table: nothing is before it. */
  readonly mayBeBehind: boolean;
}

export type Outcome =
  | { readonly is: 'handled' }
  /** Another event of its key waits for a retry: nothing was done. */
  | { readonly is: 'behind' }
  | { readonly is: 'failed'; readonly error: SoukError };

export interface Attempts {
  /** Runs the handler once. Never rejects. */
  run(init: AttemptInit): Promise<Outcome>;
  /** The event that a context works for. */
  causeOf(ctx: Context): string | undefined;
}

const INBOX = `
  /* inbox */
  INSERT INTO souk.inbox (consumer, source, id, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`;

const INBOX_UNLESS_BEHIND = `
  /* inbox */
  INSERT INTO souk.inbox (consumer, source, id, received_at)
  SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM souk.retry WHERE consumer = $1 AND key = $5)
  ON CONFLICT DO NOTHING`;

/** The attempts of one consumer: context, trace, decoding, time limit, and the inbox behind `once`. */
export function createAttempts(init: {
  readonly consumer: string;
  readonly db: Database;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly handlerMs: number;
  /** Aborts when the handlers' time is over because the service stops. */
  readonly signal: AbortSignal;
}): Attempts {
  const { consumer, db, runtime, telemetry } = init;
  const causes = new WeakMap<Context, string>();

  const contextFor = (envelope: Envelope): Context =>
    rootContext({
      runtime,
      log: telemetry.log,
      timeoutMs: init.handlerMs,
      signal: init.signal,
      trace: parseTraceparent(envelope.traceparent) ?? newTrace(runtime, true),
      caller: { roles: [], service: consumer },
      idempotencyKey: `${consumer}:${envelope.id}`,
    });

  /** @returns whether the event is new to this consumer */
  const enter = async (tx: Transaction, attempt: AttemptInit, onBehind: () => SoukError): Promise<boolean> => {
    const { envelope, key } = attempt;
    const values = [consumer, envelope.source, envelope.id, new Date(runtime.clock.now())];
    const ordered = attempt.route.ordered && attempt.mayBeBehind;
    const { rowCount } = ordered
      ? await tx.query(INBOX_UNLESS_BEHIND, [...values, key])
      : await tx.query(INBOX, values);
    if (rowCount > 0) return true;
    if (ordered && (await tx.query(HAS_KEY, [consumer, key])).rowCount > 0) throw onBehind();
    return false;
  };

  const run = async (attempt: AttemptInit): Promise<Outcome> => {
    const { route, envelope } = attempt;
    let behind = false;
    const onBehind = () => {
      behind = true;
      return messagingErrors.KEY_WAITS({ type: envelope.type });
    };
    using root = contextFor(envelope);
    const options = { kind: 'consumer', attributes: attributesOf(attempt, consumer) } as const;
    try {
      await telemetry.tracer.run(root, `process ${envelope.type}`, options, async (ctx) => {
        const event = decode(route.schema, envelope);
        causes.set(ctx, envelope.id);
        const delivery: Delivery = {
          envelope,
          attempt: attempt.attempt,
          once: (work) =>
            db.tx(ctx, async (tx) => {
              causes.set(tx.ctx, envelope.id);
              return (await enter(tx, attempt, onBehind)) ? work(tx) : undefined;
            }),
        };
        await untilAborted(ctx.signal, route.handle(ctx, event, delivery));
      });
      return behind ? { is: 'behind' } : { is: 'handled' };
    } catch (thrown) {
      return behind ? { is: 'behind' } : { is: 'failed', error: fromUnknown(thrown) };
    }
  };

  return { run, causeOf: (ctx) => causes.get(ctx) };
}

const attributesOf = ({ envelope, attempt }: AttemptInit, consumer: string) => ({
  'messaging.system': 'souk',
  'messaging.operation.type': 'process',
  'messaging.destination.name': envelope.type,
  'messaging.consumer.group.name': consumer,
  'messaging.message.id': envelope.id,
  'souk.attempt': attempt,
});

function decode(schema: DescMessage, envelope: Envelope): MessageShape<DescMessage> {
  try {
    return fromBinary(schema, envelope.data);
  } catch (cause) {
    throw messagingErrors.UNDECODABLE_EVENT({ type: envelope.type, schema: schema.typeName }, { cause });
  }
}

/** A handler that does not heed the signal is left alone when its time is over: its transactions are refused by then. */
async function untilAborted(signal: AbortSignal, work: Promise<unknown>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
