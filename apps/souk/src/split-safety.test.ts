import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '@souk/config';
import { checkSplitSafety, splitProblems } from '@souk/host';
import { stuckSagas } from './admin/stuck-sagas.ts';
import { createServices } from './services.ts';
import { sections } from './settings.ts';

const services = Object.values(createServices());
const { values } = loadSettings({ sections });
const shop = { services, system: services, settings: values, publishes: stuckSagas.publishes };

test('nothing in the declarations and settings of the shop keeps its services from being split', () => {
  checkSplitSafety(shop);
});

test('each service may run alone, as long as the others are somewhere', () => {
  for (const service of services) assert.deepEqual(splitProblems({ ...shop, services: [service] }), []);
});

test('a shop without one of its services lacks what the others call and hear', () => {
  const lacking = (name: string) => {
    const rest = services.filter((service) => service.name !== name);
    return splitProblems({ ...shop, services: rest, system: rest }).map(({ message }) => message.split(',')[0]);
  };
  assert.deepEqual(lacking('shipping').sort(), [
    'service inventory hears souk.shipping.v1.ShipmentNotStopped',
    'service orders calls souk.shipping.v1.ShippingService',
    'service orders hears souk.shipping.v1.ShipmentCancelled',
    'service orders hears souk.shipping.v1.ShipmentDelivered',
    'service orders hears souk.shipping.v1.ShipmentDispatched',
    'service orders hears souk.shipping.v1.ShipmentNotStopped',
  ]);
  assert.ok(lacking('users').length > 0);
});
