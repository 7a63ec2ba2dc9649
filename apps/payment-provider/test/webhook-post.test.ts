import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRuntime } from '@souk/kernel';
import { createWebhookPost } from '../src/webhook-post.ts';

test('an address that is none takes nothing, and says so like any other', async () => {
  const post = createWebhookPost(systemRuntime(), 1, 1000);
  for (const url of ['', '/api/webhooks', 'no address']) assert.equal(await post(url, new Uint8Array(1), {}), false);
  post.close();
});
