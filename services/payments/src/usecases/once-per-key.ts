import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { Context } from '@souk/kernel';
import { actorOf } from '@souk/service';
import { fingerprintOf, idempotent, type Transaction } from '@souk/store';
import type { PaymentsDeps } from '../deps.ts';

/**
 * Begins something once per idempotency key and remembers its id. What follows is driven by the id, so a repeat of the request goes on
 * where the first one ended, whatever ended it.
 *
 * @param begin In the transaction of the key; returns the id of what was begun.
 */
export async function oncePerKey<TSchema extends DescMessage>(
  ctx: Context,
  deps: PaymentsDeps,
  schema: TSchema,
  request: MessageShape<TSchema>,
  begin: (tx: Transaction) => Promise<string>,
): Promise<string> {
  const key = ctx.idempotencyKey;
  return deps.db.tx(ctx, async (tx) => {
    // The contract requires the key; without one, as between services, each request is its own.
    if (key === undefined) return begin(tx);
    const kept = await idempotent(
      tx,
      {
        scope: `${actorOf(ctx)} ${schema.typeName}`,
        key,
        fingerprint: fingerprintOf(schema.typeName, toBinary(schema, request)),
        runtime: deps.runtime,
      },
      async () => Buffer.from(await begin(tx)),
    );
    return Buffer.from(kept.response).toString();
  });
}
