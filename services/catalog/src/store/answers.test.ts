import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import type { Product } from '../domain/product.ts';
import { createAnswers } from './answers.ts';

const answers = () => createAnswers({ clock: virtualRuntime().clock, pagesKept: 2, productsKept: 2 });

const product = (id: string, version = 1): Product => ({
  id,
  version,
  sku: '',
  name: `Mug ${version}`,
  description: '',
  category: 'mugs',
  categoryName: 'Mugs',
  prices: { EUR: 500n },
  attributes: {},
  status: 'active',
  createdAt: new Date(0),
  updatedAt: new Date(0),
});

test('pages share the message of a product as long as its version is the same', () => {
  const { messageOf } = answers();
  const first = messageOf(product('a'), 'EUR');
  assert.equal(messageOf(product('a'), 'EUR'), first);
  assert.notEqual(messageOf(product('a'), 'USD'), first);
  assert.equal(messageOf(product('a', 2), 'EUR').name, 'Mug 2');
  assert.equal(messageOf(product('a', 1), 'EUR').name, 'Mug 1', 'an older row that was read meanwhile is not mixed up');
});

test('the product asked for least recently goes first when there are too many', () => {
  const { messageOf } = answers();
  const [a, b] = [messageOf(product('a'), ''), messageOf(product('b'), '')];
  messageOf(product('a'), '');
  messageOf(product('c'), '');
  assert.equal(messageOf(product('a'), ''), a);
  assert.notEqual(messageOf(product('b'), ''), b);
});

test('nothing is remembered after a change', async () => {
  const { messageOf, products, forget } = answers();
  const message = messageOf(product('a'), '');
  await products.get('a', async () => message);
  forget();
  const next = messageOf(product('a'), '');
  assert.notEqual(next, message);
  assert.equal(await products.get('a', async () => next), next);
});
