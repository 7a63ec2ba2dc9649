export { type Exposition, readExposition } from './client/exposition.ts';
export { type LoadedShopSettings, loadShopSettings } from './load-shop-settings.ts';
export { createServices } from './services.ts';
export { type ShopSettings, sections } from './settings.ts';
export { createShop, type Shop, type ShopFacts, type ShopOptions } from './shop.ts';
