import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { COMMON_PASSWORDS } from './common-passwords.ts';
import { foldKey } from './identity.ts';
import { checkPassword } from './password.ts';

test('common passwords are refused whatever their case', () => {
  for (const password of ['password', 'PassWord1', '12345678', 'qwertyuiop']) {
    assert.throws(
      () => checkPassword(password, []),
      (error) => hasReason(error, 'USERS_PASSWORD_COMMON'),
    );
  }
});

test('a password that is the e-mail address or the user name is refused', () => {
  for (const password of ['Ada@Example.com', 'ADALOVELACE']) {
    assert.throws(
      () => checkPassword(password, ['ada@example.com', 'adalovelace']),
      (error) => hasReason(error, 'USERS_PASSWORD_PERSONAL'),
    );
  }
});

test('any other password is good, with or without digits and capitals', () => {
  for (const password of ['correct horse battery staple', 'пароль наш', '🐎🔋🐎🔋🐎🔋🐎🔋'])
    checkPassword(password, ['ada']);
});

test('every common password can be typed: it is long enough and folded', () => {
  for (const password of COMMON_PASSWORDS) {
    assert.ok(password.length >= 8, password);
    assert.equal(foldKey(password), password);
  }
});
