import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { type KubernetesRegistryOptions, toSettings } from './options.ts';

const settle = (options: Partial<KubernetesRegistryOptions>) =>
  toSettings({ apiUrl: 'https://kubernetes.default.svc', namespace: 'shop', runtime: virtualRuntime(), ...options });

test('what is not said is as documented', () => {
  const { callMs, watchMs, addressTypes, servicesOf, token } = settle({});
  assert.deepEqual(
    [callMs, watchMs, addressTypes, servicesOf('a'), token],
    [10_000, 120_000, ['IPv4', 'IPv6', 'FQDN'], ['a'], undefined],
  );
  assert.equal(settle({ token: 'one' }).token?.(), 'one');
});

test('options that cannot work are refused, without saying a password', () => {
  for (const options of [
    { apiUrl: 'kubernetes' },
    { apiUrl: 'ftp://a' },
    { apiUrl: 'https://root:geheim@a' },
    { namespace: '' },
    { namespace: '../shop' },
    { callMs: 0 },
    { watchMs: -1 },
  ]) {
    assert.throws(
      () => settle(options),
      (error: { reason?: string; message: string }) =>
        error.reason === 'KUBERNETES_INVALID_OPTION' && !error.message.includes('geheim'),
      JSON.stringify(options),
    );
  }
});
