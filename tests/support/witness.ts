// A service that only listens, and writes down each event it handled: what the auditor compares with what was published. Each goes into one
// of a few streams too, where all that is handled at the same time meets.

import {
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderDeliveredSchema,
  OrderPlacedSchema,
  OrderRejectedSchema,
  OrderShippedSchema,
} from '@souk/contracts/orders/v1/events';
import { createEventStore, eventStoreMigrations } from '@souk/eventstore';
import { on } from '@souk/messaging';
import { type Deps, defineService } from '@souk/service';

const HEARD = [
  OrderPlacedSchema,
  OrderConfirmedSchema,
  OrderRejectedSchema,
  OrderCancelledSchema,
  OrderShippedSchema,
  OrderDeliveredSchema,
];

const HOT_STREAMS = 4;

/** Types of events it hears, as envelopes name them. */
export const heardTypes: readonly string[] = HEARD.map((schema) => schema.typeName);

export const witness = defineService({
  name: 'witness',
  serves: [],
  consumes: HEARD.map((schema) =>
    on(schema, ({ runtime }: Deps) => {
      const store = createEventStore({ runtime });
      return async (_ctx, _event, delivery) => {
        const { id, key, schema: typeName } = delivery.envelope;
        // Nothing but the inbox keeps this from happening twice.
        await delivery.once(async (tx) => {
          await tx.query('INSERT INTO effect (event_id, key, type) VALUES ($1, $2, $3)', [id, key, typeName]);
          const stream = `hot-${Number.parseInt(id.slice(-2), 16) % HOT_STREAMS}`;
          await store.lockStreams(tx, [stream]);
          await store.append(tx, { stream, expected: 'any', events: [{ type: typeName, data: { key } }] });
        });
      };
    }),
  ),
  migrations: [
    ...eventStoreMigrations,
    {
      id: 'witness/0001-effects',
      sql: `CREATE TABLE effect (
              seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL, key text NOT NULL, type text NOT NULL)`,
    },
  ],
  start: () => ({}),
});
