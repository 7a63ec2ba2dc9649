import { create, type DescMessage, toBinary } from '@bufbuild/protobuf';
import type { Context, Runtime } from '@souk/kernel';
import { compileValidator, eventRules, type Validator } from '@souk/schema';
import type { Transaction } from '@souk/store';
import { formatTraceparent, type Telemetry } from '@souk/telemetry';
import { messagingErrors } from './errors.ts';
import { MAX_EVENT_BYTES } from './options.ts';
import type { Publisher } from './publisher.ts';

export interface OutboxInit {
  readonly service: string;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly publishes: readonly DescMessage[];
  /** The event that a context works for, if any. */
  readonly causeOf: (ctx: Context) => string | undefined;
  /** Runs after each commit that published something. */
  readonly onCommit: () => void;
}

interface Declared {
  readonly type: string;
  readonly keyField: string;
  readonly validate: Validator;
}

const INSERT = `
  /* publish-event */
  INSERT INTO souk.outbox (id, type, schema, key, time, traceparent, causation_id, data)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

/** The writing side of the outbox. Contracts are read now, so that a bad one stops the start and not an order. */
export function createOutbox(init: OutboxInit): Publisher {
  const { service, runtime, telemetry } = init;
  const declared = new Map(
    init.publishes.map((schema) => [schema.typeName, { ...eventRules(schema), validate: compileValidator(schema) }]),
  );

  // Deferred: it costs no round trip of its own, and nothing depends on its answer.
  const insert = (tx: Transaction, schema: DescMessage, known: Declared, key: string, data: Uint8Array) => {
    const span = telemetry.tracer.start(tx.ctx, `publish ${known.type}`, {
      kind: 'producer',
      attributes: {
        'messaging.system': 'souk',
        'messaging.operation.type': 'send',
        'messaging.destination.name': known.type,
      },
    });
    tx.defer(INSERT, [
      runtime.ids.uuid(),
      known.type,
      schema.typeName,
      key,
      new Date(runtime.clock.now()),
      formatTraceparent(span.trace),
      init.causeOf(tx.ctx) ?? null,
      data,
    ]);
    span.end();
    tx.afterCommit(init.onCommit);
  };

  return {
    publish: async (tx, schema, values) => {
      const known = declared.get(schema.typeName);
      if (known === undefined) throw messagingErrors.UNDECLARED_EVENT({ service, type: schema.typeName });
      const event = create(schema, values);
      const violations = known.validate(event);
      if (violations.length > 0) {
        const why = violations.map(({ pointer, detail }) => `${pointer} ${detail}`).join(', ');
        throw messagingErrors.INVALID_EVENT({ type: known.type, why }, { violations });
      }
      const key = String((event as Record<string, unknown>)[known.keyField] ?? '');
      if (key === '') throw messagingErrors.INVALID_EVENT({ type: known.type, why: `${known.keyField} is empty` });
      const data = toBinary(schema, event);
      if (data.length > MAX_EVENT_BYTES) {
        throw messagingErrors.EVENT_TOO_LARGE({ type: known.type, bytes: data.length, max: MAX_EVENT_BYTES });
      }
      insert(tx, schema, known, key, data);
    },
  };
}
