import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { messageNamed } from '../test/rules.ts';
import { redact } from './index.ts';

const Secrets = messageNamed('Secrets');

test('what is sensitive shows only that it is set, wherever it is', () => {
  const inner = { secret: 'canary', open: 'o' };
  const shown = redact(
    Secrets,
    create(Secrets, {
      id: '1',
      password: 'canary',
      inner,
      list: [inner],
      map: { a: inner },
      way: { case: 'card', value: 'canary' },
      blob: Buffer.from('canary'),
      big: 5n,
    } as never),
  );
  const hidden = { secret: '[redacted]', open: 'o' };
  assert.deepEqual(shown, {
    id: '1',
    password: '[redacted]',
    inner: hidden,
    list: [hidden],
    map: { a: hidden },
    card: '[redacted]',
    blob: '[6 bytes]',
    big: '5',
  });
  assert.doesNotMatch(JSON.stringify(shown), /canary/);
});

test('what is not set does not look as if it were', () => {
  assert.equal('password' in redact(Secrets, create(Secrets, {})), false);
});
