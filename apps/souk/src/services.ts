import { catalog } from '@souk/service-catalog';
import { inventory } from '@souk/service-inventory';
import { loyalty } from '@souk/service-loyalty';
import { notifications } from '@souk/service-notifications';
import { orders } from '@souk/service-orders';
import { payments } from '@souk/service-payments';
import { shipping } from '@souk/service-shipping';
import { users } from '@souk/service-users';

/** The shop. */
export const services = [users, catalog, inventory, orders, payments, shipping, loyalty, notifications] as const;
