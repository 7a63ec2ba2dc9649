import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { foldKey, tidyEmail, tidyUsername } from './identity.ts';

test('names that differ in case, composition or width have one key', () => {
  const same: ReadonlyArray<readonly [string, string]> = [
    ['Ada', 'aDA'],
    ['Straße', 'STRASSE'],
    ['STRAẞE', 'strasse'],
    ['é', 'e\u0301'],
    ['Ａｄａ', 'ada'],
    ['ﬁn', 'FIN'],
    ['ΟΔΟΣ', 'οδος'],
    ['οδοσ', 'οδος'],
  ];
  for (const [one, other] of same) assert.equal(foldKey(one), foldKey(other), `${one} and ${other}`);
});

test('letters of their own keep their own key', () => {
  assert.notEqual(foldKey('ısmail'), foldKey('ismail'));
  assert.notEqual(foldKey('ada'), foldKey('adä'));
});

test('the key of a key is the key', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (name) => foldKey(foldKey(name)) === foldKey(name)));
});

test('the case of ASCII never matters', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (name) => foldKey(name.toUpperCase()) === foldKey(name)));
});

test('an e-mail address keeps its local part and lowers its domain', () => {
  assert.equal(tidyEmail('Ada.Lovelace@EXAMPLE.Com'), 'Ada.Lovelace@example.com');
  assert.equal(tidyEmail('e\u0301@Bücher.DE'), 'é@bücher.de');
});

test('a user name cannot pass for an e-mail address, however wide its @', () => {
  for (const name of ['a@b.example', 'a＠b', ' ada', 'ada ']) {
    assert.throws(
      () => tidyUsername(name),
      (error) => hasReason(error, 'USERS_USERNAME_INVALID'),
    );
  }
  assert.equal(tidyUsername('Ada Lovelace'), 'Ada Lovelace');
});
