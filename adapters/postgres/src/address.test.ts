import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { describeAddress, parseAddress, toUrl } from './address.ts';

test('a URL is read with its defaults', () => {
  assert.deepEqual(parseAddress('postgres://ann:p%40ss@db.example:6543/shop?sslmode=require'), {
    host: 'db.example',
    port: 6543,
    user: 'ann',
    password: 'p@ss',
    database: 'shop',
    tls: 'no-verify',
  });
  const short = parseAddress('postgresql://ann@localhost');
  assert.deepEqual([short.port, short.database, short.password, short.tls], [5432, 'ann', undefined, undefined]);
});

test('every address survives being a URL', () => {
  // A path of dots is a way up in any URL.
  const name = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' }).filter((text) => !/^\.+$/.test(text));
  const host = fc.constantFrom('localhost', '10.0.0.1', '::1', '/tmp/a folder/run');
  const tls = fc.constantFrom(undefined, 'verify' as const, 'no-verify' as const);
  const address = fc.record(
    {
      host,
      port: fc.integer({ min: 1, max: 65535 }),
      user: name,
      password: name,
      database: name,
      tls,
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(address, (value) => assert.deepEqual(parseAddress(toUrl(value)), value)));
});

test('what is no URL is refused without being repeated', () => {
  for (const url of [
    '',
    'shop',
    'mysql://a:secret@b/c',
    'postgres://a:%zz@b/c',
    'postgres://a:secret@b/c?sslmode=maybe',
  ]) {
    assert.throws(
      () => parseAddress(url),
      (error) => hasReason(error, 'POSTGRES_URL_INVALID') && !(error as Error).message.includes('secret'),
    );
  }
});

test('people never see a password', () => {
  assert.equal(describeAddress(parseAddress('postgres://a:secret@b:1/c')), 'b:1');
});
