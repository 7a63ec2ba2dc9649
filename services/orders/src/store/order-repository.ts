import { type EventStore, encodePosition, type RecordedEvent } from '@souk/eventstore';
import { type Context, hasReason } from '@souk/kernel';
import type { Database, Sql, Transaction } from '@souk/store';
import { decide, type OrderCommand } from '../domain/decide.ts';
import { evolve, fold, hasEnded, type Order, type OrderEvent } from '../domain/order.ts';
import { orderErrors } from '../errors.ts';
import { eraseForgotten } from './address-book.ts';
import { type PositionedOrder, writeView } from './order-view.ts';

/** Attempts of a change that meets another change of the same order. */
const ATTEMPTS = 5;

/** What changed, inside the transaction that changes it. */
export interface Change {
  readonly before: Order | undefined;
  readonly after: PositionedOrder;
  readonly events: readonly OrderEvent[];
}

/** Reads and writes orders: the stream of events is the truth, the view is written along. */
export interface OrderRepository {
  /** Appends the first event of a new order. */
  create(tx: Transaction, event: Extract<OrderEvent, { type: 'OrderPlaced' }>): Promise<PositionedOrder>;
  /**
   * Loads the order, decides, appends what follows and brings the view up to date, in the caller's transaction.
   *
   * @param command What to do with the order as it is, one thing after the other; undefined: nothing.
   * @throws ORDERS_NOT_FOUND, ORDERS_ILLEGAL_TRANSITION, EVENTSTORE_WRONG_VERSION when another change came first: run the
   * transaction again
   */
  change(
    tx: Transaction,
    orderId: string,
    command: (order: Order) => OrderCommand | readonly OrderCommand[] | undefined,
  ): Promise<Change>;
  /** Runs `work` in a transaction, again when another change of the same order came first. */
  retrying<T>(ctx: Context, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** @throws ORDERS_NOT_FOUND */
  events(sql: Sql, orderId: string): Promise<OrderEvent[]>;
}

const streamOf = (orderId: string): string => `order-${orderId}`;

/** @param onChange Hears of each change once it is committed. */
export function createOrderRepository(
  db: Database,
  eventStore: EventStore,
  onChange: (order: PositionedOrder) => void,
): OrderRepository {
  /** @returns the position of the last of them */
  const append = async (
    tx: Transaction,
    orderId: string,
    events: readonly OrderEvent[],
    expected: number | 'none',
  ): Promise<string> => {
    const { position } = await eventStore.append(tx, {
      stream: streamOf(orderId),
      expected,
      events: events.map((event) => ({ type: event.type, data: event })),
    });
    return encodePosition(position);
  };

  const eventsOf = (stored: readonly RecordedEvent[]): OrderEvent[] =>
    stored.map(({ data }) => data as unknown as OrderEvent);

  return {
    create: async (tx, event) => {
      const position = await append(tx, event.orderId, [event], 'none');
      const order = { ...evolve(undefined, event), position };
      writeView(tx, order);
      return order;
    },
    change: async (tx, orderId, command) => {
      // Locked before anything is decided: what is read stays true, and readers of all streams see the versions in order.
      const stored = await eventStore.readForUpdate(tx, streamOf(orderId));
      const before = fold(eventsOf(stored));
      const last = stored.at(-1);
      if (before === undefined || last === undefined) throw orderErrors.NOT_FOUND({ id: orderId });
      const events: OrderEvent[] = [];
      let changed = before;
      for (const wanted of [command(before) ?? []].flat()) {
        const decided = decide(changed, wanted);
        changed = decided.reduce(evolve, changed);
        events.push(...decided);
      }
      if (events.length === 0) return { before, after: { ...before, position: encodePosition(last.position) }, events };
      const after = { ...changed, position: await append(tx, orderId, events, before.version) };
      writeView(tx, after);
      tx.afterCommit(() => onChange(after));
      if (hasEnded(after) && !hasEnded(before)) eraseForgotten(tx, after);
      return { before, after, events };
    },
    retrying: async (ctx, work) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await db.tx(ctx, work);
        } catch (error) {
          if (attempt === ATTEMPTS || !hasReason(error, 'EVENTSTORE_WRONG_VERSION')) throw error;
        }
      }
    },
    events: async (sql, orderId) => {
      const events = eventsOf(await eventStore.read(sql, streamOf(orderId)));
      if (events.length === 0) throw orderErrors.NOT_FOUND({ id: orderId });
      return events;
    },
  };
}
