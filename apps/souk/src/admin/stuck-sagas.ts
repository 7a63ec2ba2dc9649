import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { SagaStuckSchema } from '@souk/contracts/admin/v1/events';
import type { StuckTeller } from '@souk/host';

/** Publishes that a saga waits for a person. */
export const stuckSagas: StuckTeller = {
  publishes: [SagaStuckSchema],
  tell: (publisher, tx, { sagaId, service, name, version, step, code, reason, at }) =>
    publisher.publish(tx, SagaStuckSchema, {
      sagaId,
      service,
      name,
      definitionVersion: version,
      step: step ?? '',
      code: code ?? '',
      reason: reason ?? '',
      at: timestampFromDate(at),
    }),
};
