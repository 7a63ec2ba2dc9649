import { catalog } from '@souk/service-catalog';
import { inventory } from '@souk/service-inventory';
import { loyalty } from '@souk/service-loyalty';
import { type Channels, notifications } from '@souk/service-notifications';
import { orders } from '@souk/service-orders';
import { payments } from '@souk/service-payments';
import { shipping } from '@souk/service-shipping';
import { users } from '@souk/service-users';

/** The shop: its services by name. @param channels How notifications leave the house. */
export const createServices = (channels: Channels = {}) => ({
  users,
  catalog,
  inventory,
  orders,
  payments,
  shipping,
  loyalty,
  notifications: notifications(channels),
});

export type ShopServices = ReturnType<typeof createServices>;
