/*
 *   LABEL_CREATED --> HANDED_OVER --> IN_TRANSIT --> DELIVERED
 *        |                                 +--> RETURNED, LOST
 *        +--> CANCELLED   (also from PENDING)
 */
import { shippingErrors } from '../errors.ts';

export type ShipmentStatus =
  | 'PENDING'
  | 'LABEL_CREATED'
  | 'HANDED_OVER'
  | 'IN_TRANSIT'
  | 'DELIVERED'
  | 'CANCELLED'
  | 'RETURNED'
  | 'LOST';

const LEGAL_MOVES: Readonly<Record<ShipmentStatus, readonly ShipmentStatus[]>> = {
  PENDING: ['LABEL_CREATED', 'CANCELLED'],
  LABEL_CREATED: ['HANDED_OVER', 'IN_TRANSIT', 'CANCELLED'],
  HANDED_OVER: ['IN_TRANSIT', 'DELIVERED', 'LOST'],
  IN_TRANSIT: ['DELIVERED', 'RETURNED', 'LOST'],
  DELIVERED: ['RETURNED'],
  CANCELLED: [],
  RETURNED: [],
  LOST: [],
};

/** One line of the tracking. `at` is RFC 3339, UTC. */
export interface TrackingEvent {
  readonly status: ShipmentStatus;
  readonly at: string;
  readonly note: string;
}

export interface ShipmentLine {
  readonly productId: string;
  readonly quantity: number;
}

/** @returns false when the shipment is there already @throws SHIPPING_ILLEGAL_TRANSITION */
export function mayMove(from: ShipmentStatus, to: ShipmentStatus): boolean {
  if (from === to) return false;
  const allowed = LEGAL_MOVES[from];
  if (allowed.includes(to)) return true;
  throw shippingErrors.ILLEGAL_TRANSITION(
    { from, to, allowed: allowed.join(', ') || 'nothing' },
    { details: { from, to, allowed: allowed.join(',') } },
  );
}

/** Whether goods have left the house and cannot be held back any more. */
export const hasLeft = (status: ShipmentStatus): boolean => status !== 'PENDING' && status !== 'LABEL_CREATED';
