import { PointsAwardedSchema, PointsReversedSchema } from '@souk/contracts/loyalty/v1/events';
import { LoyaltyService } from '@souk/contracts/loyalty/v1/loyalty';
import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import { on } from '@souk/messaging';
import { defineService } from '@souk/service';
import { loyaltySettings } from './config.ts';
import { calls } from './deps.ts';
import { loyaltyMigrations } from './store/migrations.ts';
import { awardPoints } from './usecases/award-points.ts';
import { getPoints } from './usecases/get-points.ts';
import { onOrderCancelled, reversePoints } from './usecases/reverse-points.ts';

/** Points for orders, as an append-only ledger. */
export const loyalty = defineService({
  name: 'loyalty',
  serves: [LoyaltyService],
  calls,
  publishes: [PointsAwardedSchema, PointsReversedSchema],
  consumes: [on(OrderCancelledSchema, onOrderCancelled)],
  settings: loyaltySettings,
  migrations: loyaltyMigrations,
  start: (deps) => ({
    getPoints: getPoints(deps),
    awardPoints: awardPoints(deps),
    reversePoints: reversePoints(deps),
  }),
});
