import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Reservation_Status } from '@souk/contracts/inventory/v1/inventory';
import { toLines } from '../domain/stock-line.ts';
import type { Reservation } from '../store/reservation-repository.ts';
import type { Stock } from '../store/stock-repository.ts';

export const reservationMessage = (reservation: Reservation) => ({
  id: reservation.id,
  orderId: reservation.order_id,
  status: Reservation_Status[reservation.state],
  lines: toLines(reservation.product_ids, reservation.quantities),
  expiresAt: timestampFromDate(reservation.expires_at),
});

export const availabilityMessage = (stock: Stock) => ({
  productId: stock.product_id,
  onHand: stock.on_hand,
  reserved: stock.reserved,
  available: stock.on_hand - stock.reserved,
  version: stock.version,
});
