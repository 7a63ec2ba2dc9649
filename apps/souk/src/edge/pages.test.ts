import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { MailboxMessageSchema } from '@souk/contracts/notifications/v1/notifications';
import type { HttpCall } from '@souk/rpc';
import fc from 'fast-check';
import { mailboxPage } from './mailbox-page.ts';
import { escapeHtml } from './pages.ts';
import { type ShopPagesOptions, shopPages } from './shop-pages.ts';

const serve = (more: Partial<ShopPagesOptions> = {}) => {
  const protocol = shopPages({
    isReady: () => true,
    busState: () => 'connected',
    exposition: () => 'up 1\n',
    readMailbox: async () => [],
    mayReadMailbox: () => true,
    ...more,
  });
  return async (path: string, verb = 'GET') => {
    const target = await protocol(verb, path);
    return target?.handle({ query: '', headers: {} } as HttpCall);
  };
};

const HTML = ['/', '/docs', '/dev/mailbox'];

for (const path of HTML) {
  test(`${path} loads nothing from elsewhere, and says so to the browser`, async () => {
    const reply = await serve()(path);
    assert.equal(reply?.status, 200);
    const policy = String(reply?.headers['content-security-policy']);
    for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"]) {
      assert.ok(policy.includes(rule), rule);
    }
    assert.doesNotMatch(policy, /https?:|\*/);
    assert.equal(reply?.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(reply?.headers['referrer-policy'], 'no-referrer');
    assert.doesNotMatch(String(reply?.body), /(?:src|href)="(?:https?:)?\/\//);
    assert.doesNotMatch(String(reply?.body), /<(?:link|iframe|img)\b|@import|url\(/);
  });
}

test('health tells live from ready', async () => {
  let ready = false;
  const ask = serve({ isReady: () => ready });
  assert.equal((await ask('/health/live'))?.status, 200);
  assert.equal((await ask('/health/ready'))?.status, 503);
  ready = true;
  assert.equal((await ask('/health/ready'))?.status, 200);
});

test('metrics are Prometheus text and never cached', async () => {
  const reply = await serve()('/metrics');
  assert.match(String(reply?.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  assert.deepEqual([reply?.body, reply?.headers['cache-control']], ['up 1\n', 'no-store']);
});

test('the mailbox is not there where it must not be shown', async () => {
  assert.equal(await serve({ readMailbox: undefined })('/dev/mailbox'), undefined);
});

test('other paths and verbs are left to others', async () => {
  for (const path of ['/docs/', '/constructor', '/__proto__', '']) assert.equal(await serve()(path), undefined);
  assert.equal(await serve()('/', 'POST'), undefined);
  assert.equal((await serve()('/', 'HEAD'))?.status, 200);
});

test('escaped text has no sign that HTML knows, and can be read back', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const escaped = escapeHtml(text);
      assert.doesNotMatch(escaped, /[<>"']/);
      const names: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
      assert.equal(
        escaped.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => names[name] as string),
        text,
      );
    }),
  );
});

test('whoever may not read the mailbox is told so, and it is not read', async () => {
  let reads = 0;
  const readMailbox = async () => {
    reads++;
    return [];
  };
  const reply = await serve({ readMailbox, mayReadMailbox: () => false })('/dev/mailbox');
  assert.deepEqual([reply?.status, reads], [403, 0]);
});

test('letters are shown as they are, never as markup', () => {
  const evil = '<script>alert(1)</script>';
  const message = create(MailboxMessageSchema, {
    recipient: evil,
    notification: { subject: evil, body: evil, channel: 1, status: 2 },
  });
  assert.equal(mailboxPage([message]).split('&lt;script&gt;').length, 4);
  assert.doesNotMatch(mailboxPage([message]), /<script>/);
  assert.match(mailboxPage([]), /Nothing yet/);
});
