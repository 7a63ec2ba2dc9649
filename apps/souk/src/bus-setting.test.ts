import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '@souk/config';
import { busSetting } from './bus-setting.ts';

const load = (env: Record<string, string>) =>
  loadSettings({ sections: { bus: { transport: busSetting } }, file: undefined, env, flags: [] });

test('events stay in the process unless somebody says otherwise', () => {
  assert.equal(load({}).values.bus.transport, 'in-process');
  for (const bus of ['in-process', 'postgres', 'nats://broker:4222', 'amqps://me:word@broker/souk']) {
    assert.equal(load({ SOUK_BUS: bus }).values.bus.transport, bus);
  }
});

test('what is no way for events is refused, and a password is never shown', () => {
  for (const bus of ['kafka', 'http://broker', 'http://me:word@broker']) {
    assert.throws(
      () => load({ SOUK_BUS: bus }),
      (error: Error) => /nats:\/\//.test(error.message) && !error.message.includes('word@'),
    );
  }
  assert.doesNotMatch(busSetting.print('amqp://me:word@broker'), /word/);
  assert.equal(busSetting.print('postgres'), 'postgres');
});
