import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { type EtcdRegistryOptions, toSettings } from './options.ts';

const settle = (options: Partial<EtcdRegistryOptions>) =>
  toSettings({ hosts: ['http://127.0.0.1:2379'], runtime: virtualRuntime(), ...options });

test('what is not said is as the reference has it', () => {
  const { prefix, ttlMs, callMs, patienceMs } = settle({});
  assert.deepEqual(
    { prefix, ttlMs, callMs, patienceMs },
    { prefix: '/souk/svc/', ttlMs: 15_000, callMs: 3000, patienceMs: 5000 },
  );
  assert.equal(settle({ ttlMs: 3000 }).callMs, 1000);
});

test('options that cannot work are refused, without saying a password', () => {
  for (const options of [
    { hosts: [] },
    { hosts: ['127.0.0.1:2379'] },
    { hosts: ['http://127.0.0.1'] },
    { hosts: ['http://127.0.0.1:2379/path'] },
    { hosts: ['ftp://127.0.0.1:2379'] },
    { hosts: ['http://a:1', 'https://b:1'] },
    { hosts: ['https://127.0.0.1:2379'] },
    { hosts: ['https://[::1]:2379'] },
    { hosts: ['http://root:geheim@127.0.0.1:2379'] },
    { prefix: '/souk' },
    { ttlMs: 1500 },
    { ttlMs: 0 },
    { callMs: 0 },
    { patienceMs: Number.NaN },
  ]) {
    assert.throws(
      () => settle(options),
      (error: { reason?: string; message: string }) =>
        error.reason === 'ETCD_INVALID_OPTION' && !error.message.includes('geheim'),
      JSON.stringify(options),
    );
  }
});
