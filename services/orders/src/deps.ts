import type { Settings } from '@souk/config';
import { CatalogService } from '@souk/contracts/catalog/v1/catalog';
import { InventoryService } from '@souk/contracts/inventory/v1/inventory';
import { LoyaltyService } from '@souk/contracts/loyalty/v1/loyalty';
import { NotificationService } from '@souk/contracts/notifications/v1/notifications';
import { PaymentService } from '@souk/contracts/payments/v1/payments';
import { ShippingService } from '@souk/contracts/shipping/v1/shipping';
import { UserService } from '@souk/contracts/users/v1/users';
import type { Deps } from '@souk/service';
import type { ordersSettings } from './config.ts';
import type { OrdersParts } from './parts.ts';

/** Whom orders asks. */
export const calls = {
  users: UserService,
  catalog: CatalogService,
  inventory: InventoryService,
  payments: PaymentService,
  shipping: ShippingService,
  loyalty: LoyaltyService,
  notifications: NotificationService,
} as const;

export type OrdersDeps = Deps<typeof calls, Settings<typeof ordersSettings>, OrdersParts>;
