import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { timeOfId } from './product.ts';
import { toSearch } from './search.ts';
import { respell, spellable } from './spelling.ts';
import { cleanText, nameKey, titleOf, wordsOf } from './text.ts';

const request = { query: '', category: '', minPrice: 0n, maxPrice: 0n, currency: '', sort: '' };

test('text is stored composed, without blanks around it', () => {
  assert.equal(cleanText('name', '  Cafe\u0301 \n'), 'Café');
});

test('control characters, marks of direction and broken text are refused', () => {
  for (const text of ['a\u0000', 'a\u001b[0m', '\u202eevil', '\u2066x', 'a\ud800']) {
    assert.throws(
      () => cleanText('name', text),
      (error) => hasReason(error, 'CATALOG_TEXT_REFUSED'),
    );
  }
});

test('names sort without case and accents, by their beginning', () => {
  assert.equal(nameKey('Éclair  ÇA'), 'eclair ca');
  assert.equal(Array.from(nameKey('😀'.repeat(200))).length, 60);
});

test('words are letters and digits of any script, each once', () => {
  assert.deepEqual(wordsOf('Mug, mug & Türk kahvesi 350ml of زعتر'), ['mug', 'turk', 'kahvesi', '350ml', 'زعتر']);
});

test('a category that nobody named is named after its slug', () => {
  assert.equal(titleOf('coffee-gear'), 'Coffee Gear');
});

test('a search is by relevance with words and by name without', () => {
  assert.equal(toSearch({ ...request, query: ' mug ' }).sort, 'relevance');
  assert.equal(toSearch({ ...request, sort: 'relevance' }).sort, 'name');
});

test('only a last word that stands alone may go on', () => {
  const open = (query: string) => toSearch({ ...request, query }).prefix;
  assert.deepEqual(['mu', 'red mu'].map(open), [true, true]);
  assert.deepEqual(['m', '"red mug', '"red mug"', 'red -mug', 'a:b', ''].map(open), [
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

test('misspelt words are replaced where they stand; phrases and exclusions mean what they say', () => {
  const meant = new Map([['kettel', 'kettle']]);
  assert.equal(respell('red Kettel!', meant), 'red kettle');
  assert.deepEqual(spellable('red kettel'), ['red', 'kettel']);
  assert.deepEqual(spellable('"red kettel"'), []);
  assert.deepEqual(spellable('red -kettel'), []);
});

test('the time of an id is its first 48 bits', () => {
  assert.equal(timeOfId('prd_01856aa0-c800-7881-9c32-aedf4a1e56ce').toISOString(), '2023-01-01T00:00:00.000Z');
});
