import {
  StockCommittedSchema,
  StockLowSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from '@souk/contracts/inventory/v1/events';
import { InventoryService } from '@souk/contracts/inventory/v1/inventory';
import { OrderCancelledSchema } from '@souk/contracts/orders/v1/events';
import { ShipmentNotStoppedSchema } from '@souk/contracts/shipping/v1/events';
import { on } from '@souk/messaging';
import { defineService } from '@souk/service';
import { inventorySettings } from './config.ts';
import { calls } from './deps.ts';
import { inventoryMigrations } from './store/migrations.ts';
import { commitReservation } from './usecases/commit-reservation.ts';
import { expireReservations } from './usecases/expire-reservations.ts';
import { getAvailability } from './usecases/get-availability.ts';
import { importStock } from './usecases/import-stock.ts';
import { keepSold } from './usecases/keep-sold.ts';
import { releaseStock } from './usecases/release-stock.ts';
import { reserveStock } from './usecases/reserve-stock.ts';
import { returnStock } from './usecases/return-stock.ts';
import { setStock } from './usecases/set-stock.ts';

/** Stock, and what orders hold of it. Nothing is sold twice. */
export const inventory = defineService({
  name: 'inventory',
  serves: [InventoryService],
  calls,
  publishes: [StockReservedSchema, StockReleasedSchema, StockCommittedSchema, StockLowSchema],
  consumes: [on(OrderCancelledSchema, returnStock), on(ShipmentNotStoppedSchema, keepSold)],
  settings: inventorySettings,
  migrations: inventoryMigrations,
  start: (deps) => {
    deps.schedule({ name: 'expire-reservations', everyMs: deps.settings.sweepEvery, run: expireReservations(deps) });
    return {
      getAvailability: getAvailability(deps),
      setStock: setStock(deps),
      reserveStock: reserveStock(deps),
      releaseStock: releaseStock(deps),
      commitReservation: commitReservation(deps),
      importStock: importStock(deps),
    };
  },
});
