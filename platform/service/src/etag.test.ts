import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import { checkEtag } from './index.ts';

test('any version is good where none is named', () => {
  for (const etag of ['', '*']) checkEtag(etag, 3);
});

test('a version passes in every way clients write it, and no other one does', () => {
  const version = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(version, version, (seen, current) => {
      for (const etag of [`${seen}`, `"${seen}"`, `W/"${seen}"`, ` "${seen}" `]) {
        if (seen === current) checkEtag(etag, current);
        else assert.throws(() => checkEtag(etag, current), { reason: 'SERVICE_VERSION_MISMATCH', httpStatus: 412 });
      }
    }),
  );
});

test('a mismatch tells both versions', () => {
  assert.throws(() => checkEtag('"3"', 4), /you saw version 3, it is now 4/);
});

test('what is no version is malformed, whatever it is', () => {
  fc.assert(
    fc.property(fc.string(), (etag) => {
      try {
        checkEtag(etag, 1);
      } catch (error) {
        assert.ok(isSoukError(error) && ['SERVICE_ETAG_MALFORMED', 'SERVICE_VERSION_MISMATCH'].includes(error.reason));
      }
    }),
  );
  for (const etag of ['abc', '"1", "2"', '-1', '1.5', '99999999999']) {
    assert.throws(() => checkEtag(etag, 1), { reason: 'SERVICE_ETAG_MALFORMED' });
  }
});
