import { CatalogService } from '@souk/contracts/catalog/v1/catalog';
import { InventoryService } from '@souk/contracts/inventory/v1/inventory';
import { UserService } from '@souk/contracts/users/v1/users';
import type { Host } from '@souk/host';
import { type Context, type Runtime, rootContext } from '@souk/kernel';
import { randomToken } from '@souk/security';
import type { Telemetry } from '@souk/telemetry';
import { seedShop } from './seed.ts';
import type { ShopSettings } from './settings.ts';

export interface StockShopInit {
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly settings: ShopSettings;
  readonly onProgress: (step: string) => void;
}

/** What a shop that was never open before needs. */
export interface FirstData {
  /** The password that was made up, if one was. */
  readonly newAdminPassword: string | undefined;
  /** Products that were made. */
  readonly products: number;
}

/** Who can reach the services, wherever they run. */
type Clients = Pick<Host, 'client'>;

const SETUP_TIMEOUT_MS = 120_000;
const ADMIN_PASSWORD_BYTES = 16;

/** Makes the administrator and the products of an empty catalog. What is there stays as it is. */
export async function stockShop(clients: Clients, init: StockShopInit): Promise<FirstData> {
  const { runtime, telemetry } = init;
  const caller = { roles: ['admin'], service: 'souk' };
  using ctx = rootContext({ runtime, log: telemetry.log, timeoutMs: SETUP_TIMEOUT_MS, caller });
  return {
    newAdminPassword: await ensureAdmin(ctx, clients, init),
    products: await fillEmptyCatalog(ctx, clients, init),
  };
}

async function ensureAdmin(
  ctx: Context,
  clients: Clients,
  { runtime, settings: { admin } }: StockShopInit,
): Promise<string | undefined> {
  const password = admin.password ?? randomToken(runtime.random, ADMIN_PASSWORD_BYTES);
  const { created } = await clients.client(UserService, 'souk').ensureAdmin(ctx, { email: admin.email, password });
  return created && admin.password === undefined ? password : undefined;
}

async function fillEmptyCatalog(
  ctx: Context,
  clients: Clients,
  { settings, onProgress }: StockShopInit,
): Promise<number> {
  const catalog = clients.client(CatalogService, 'souk');
  const { products, seed } = settings.demo;
  if (products === 0 || (await catalog.listProducts(ctx, { pageSize: 1 })).products.length > 0) return 0;
  onProgress(`making ${products} products`);
  return seedShop(ctx, { catalog, inventory: clients.client(InventoryService, 'souk'), products, seed });
}
