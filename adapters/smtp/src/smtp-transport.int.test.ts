import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { rootContext, SoukError, systemRuntime } from '@souk/kernel';
import { mailServer, type Say } from '../../../tests/support/mail-server.ts';
import { createSmtpTransport } from './index.ts';

const runtime = systemRuntime();
const MAIL = {
  id: 'ntf_1',
  recipient: 'ada@example.com',
  subject: 'Ihre Bestellung ist bestätigt',
  body: 'Hallo Ada,\n.\nbis bald\n',
};

async function world(t: TestContext, say?: Say, credentials = '') {
  const server = await mailServer(say);
  const url = server.url.replace('//', `//${credentials}`);
  const transport = createSmtpTransport({ url, from: 'souk <shop@example.com>' });
  t.after(async () => {
    transport.close();
    await server.close();
  });
  return { server, send: (mail = MAIL, ctx = rootContext({ runtime })) => transport.send(ctx, mail), transport };
}

test('a message arrives whole, with an id that stays the same', async (t) => {
  const { server, send } = await world(t);
  await send();
  await send();
  const [first = '', second = ''] = server.messages;
  assert.match(first, /^From: souk <shop@example\.com>$/m);
  assert.match(first, /^To: ada@example\.com$/m);
  assert.match(first, /^Message-ID: <ntf_1@souk>$/im);
  assert.match(second, /^Message-ID: <ntf_1@souk>$/im);
  assert.match(first, /Hallo Ada,\r\n\.\.\r\nbis bald/);
});

test('messages at once share a few connections', async (t) => {
  const { server, send } = await world(t);
  await Promise.all(Array.from({ length: 10 }, (_, n) => send({ ...MAIL, id: `ntf_${n}` })));
  assert.equal(server.messages.length, 10);
  assert.ok(server.connections() <= 2);
});

test('nothing in a message becomes a header or a second recipient', async (t) => {
  const recipients: string[] = [];
  const { server, send } = await world(t, (word, line) => {
    if (word === 'RCPT') recipients.push(line);
    return '';
  });
  const evil = { ...MAIL, subject: 'Hi\r\nBcc: eve@example.com', recipient: 'ada@example.com, eve@example.com' };
  await send(evil).catch(() => undefined);
  await send({ ...MAIL, subject: evil.subject });
  assert.ok(server.messages.every((message) => !/^Bcc:/im.test(message)));
  assert.ok(
    recipients.every((line) => !/^RCPT TO:<eve@/i.test(line)),
    recipients.join(),
  );
});

for (const [at, word] of [
  ['recipient', 'RCPT'],
  ['message', 'DATA.'],
]) {
  test(`a ${at} that is refused for good is SMTP_REFUSED; for now, SMTP_UNAVAILABLE`, async (t) => {
    let status = 550;
    const { send } = await world(t, (said) => (said === word ? `${status} no <ada@example.com>` : ''));
    await assert.rejects(send(), (error: unknown) => {
      assert.ok(error instanceof SoukError);
      assert.deepEqual([error.reason, error.retry.kind], ['SMTP_REFUSED', 'never']);
      assert.match(error.message, /550/);
      assert.ok(!error.message.includes('ada@'));
      return true;
    });
    status = 451;
    await assert.rejects(send(), { reason: 'SMTP_UNAVAILABLE', retry: { kind: 'later' } });
  });
}

test('a wrong password or a server that turns everybody away costs no message', async (t) => {
  const password = await world(t, (word) => (word === 'AUTH' ? '535 no' : ''), 'user:wrong@');
  await assert.rejects(password.send(), { reason: 'SMTP_UNAVAILABLE' });
  const closed = await world(t, (word) => (word === 'GREETING' ? '554 closed' : ''));
  await assert.rejects(closed.send(), { reason: 'SMTP_UNAVAILABLE' });
});

test('a connection that breaks is SMTP_UNAVAILABLE, and the next message takes another', async (t) => {
  let drops = 1;
  const { server, send } = await world(t, (word) => (word === 'DATA.' && drops-- > 0 ? 'drop' : ''));
  await assert.rejects(send(), { reason: 'SMTP_UNAVAILABLE' });
  await send();
  assert.equal(server.messages.length, 2);
});

test('where nobody listens is SMTP_UNAVAILABLE', async () => {
  const server = await mailServer();
  await server.close();
  const transport = createSmtpTransport({ url: server.url, from: 'a@example.com' });
  await assert.rejects(transport.send(rootContext({ runtime }), MAIL), { reason: 'SMTP_UNAVAILABLE' });
  transport.close();
});

test('a server that says nothing more is waited for no longer than the call allows', async (t) => {
  const { send } = await world(t, (word) => (word === 'DATA.' ? undefined : ''));
  using ctx = rootContext({ runtime, timeoutMs: 150 });
  await assert.rejects(send(MAIL, ctx), { code: 'deadline_exceeded' });
  const leaving = new AbortController();
  const waiting = send(MAIL, rootContext({ runtime, signal: leaving.signal }));
  leaving.abort();
  await assert.rejects(waiting, { code: 'canceled' });
});
