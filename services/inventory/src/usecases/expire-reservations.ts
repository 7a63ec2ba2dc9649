import type { Context } from '@souk/kernel';
import type { InventoryDeps } from '../deps.ts';
import { expire } from '../store/reservation-repository.ts';
import { announceReleased } from './release-stock.ts';

/** Reservations handled in one transaction. */
const BATCH = 200;

/** Gives back what was held too long, until nothing is due. */
export const expireReservations = (deps: InventoryDeps) => async (ctx: Context) => {
  let expired: number;
  do {
    expired = await deps.db.tx(ctx, async (tx) => {
      const now = new Date(deps.runtime.clock.now());
      const reservations = await expire(tx, now, { limit: BATCH, low: deps.settings.lowStock });
      for (const reservation of reservations) await announceReleased(tx, deps, reservation, 'EXPIRED', now);
      return reservations.length;
    });
    if (expired > 0) deps.log.info('reservations expired', { count: expired });
  } while (expired === BATCH);
};
