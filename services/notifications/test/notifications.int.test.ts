import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  Notification_Channel,
  Notification_Status,
  NotificationService,
} from '@souk/contracts/notifications/v1/notifications';
import { OrderCancelledSchema, OrderRejectedSchema, OrderShippedSchema } from '@souk/contracts/orders/v1/events';
import { UserDeletedSchema, UserRegisteredSchema } from '@souk/contracts/users/v1/events';
import { type Context, defineErrors, virtualRuntime } from '@souk/kernel';
import { createLogBook, createServiceWorld, migrationsOf } from '@souk/testkit';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import type { Channels, OutgoingMessage } from '../src/channels.ts';
import { notifications } from '../src/service.ts';
import { deliverDue } from '../src/usecases/deliver-due.ts';

const uuid = (n: number) => `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
const userId = (n: number) => `usr_${uuid(n)}`;
const orderId = (n: number) => `ord_${uuid(n)}`;
const { QUEUED, SENT, FAILED, SUPPRESSED } = Notification_Status;
const { EMAIL, SMS, PUSH } = Notification_Channel;

const failures = defineErrors('USERS', {
  NOT_FOUND: { code: 'not_found', text: 'no such user' },
  REFUSED: { code: 'failed_precondition', text: 'no such mailbox' },
  BUSY: { code: 'unavailable', text: 'come back', retry: 'later' },
});

/** Takes messages, or throws what the test says. */
function post() {
  const sent: OutgoingMessage[] = [];
  const tries: string[] = [];
  let fails: (message: OutgoingMessage) => unknown = () => undefined;
  const send = async (_ctx: Context, message: OutgoingMessage) => {
    tries.push(message.id);
    const thrown = fails(message);
    if (thrown !== undefined) throw thrown;
    sent.push(message);
  };
  return {
    channels: { EMAIL: { send } } satisfies Channels,
    sent,
    tries,
    failWith: (next: typeof fails) => {
      fails = next;
    },
  };
}

const start = async (database: TestDatabase, channels: Channels = {}) => {
  const runtime = virtualRuntime({ startAt: database.runtime.clock.now() });
  const book = createLogBook();
  const gone = new Set<string>();
  let phone = '';
  const getContact = async (_ctx: Context, { userId: id }: { userId: string }) => {
    if (gone.has(id)) throw failures.NOT_FOUND();
    const n = Number(`0x${id.slice(-12)}`);
    return { userId: id, email: `ada.${n}@example.com`, phone, locale: 'de', displayName: 'Ada Lovelace' };
  };
  const world = await createServiceWorld(notifications(channels), {
    db: database.db,
    runtime,
    settings: { attempts: 3 },
    callees: { users: { getContact } },
    log: book.log,
  });
  const client = world.client(NotificationService);
  const told = async (n: number) =>
    (await client.listNotifications(world.admin, { userId: userId(n), pageSize: 100 })).notifications;
  return {
    ...world,
    client,
    told,
    runtime,
    book,
    gone,
    hasPhone: () => {
      phone = '+4930123456';
    },
    notify: (n: number, dedupKey: string) =>
      client.notify(world.service('orders'), {
        userId: userId(n),
        template: 'order-confirmed',
        data: { orderId: orderId(n), currency: 'EUR', minorUnits: '1999', points: '19' },
        dedupKey,
      }),
  };
};

describe('notifications', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase('notifications', migrationsOf(notifications()));
  });
  after(() => database.close());

  test('without a transport the built-in mailbox has the message, in the language of its reader', async () => {
    const { notify, client, admin } = await start(database);
    await notify(1, 'first');
    const { messages } = await client.listMailbox(admin, { userId: userId(1) });
    assert.equal(messages.length, 1);
    const { notification, recipient } = messages[0] ?? {};
    assert.deepEqual([recipient, notification?.status], ['ada.1@example.com', SENT]);
    assert.match(notification?.body ?? '', /^Hallo Ada Lovelace,[\s\S]*EUR 19\.99[\s\S]*19 Punkte/);
    assert.ok(notification?.sentAt);
  });

  test('twenty equal requests at once tell once, and all name the same message', async () => {
    const { notify, told } = await start(database);
    const answers = await Promise.all(Array.from({ length: 20 }, () => notify(2, 'same')));
    assert.equal(new Set(answers.flatMap(({ notificationIds }) => notificationIds)).size, 1);
    assert.ok(answers.every(({ notificationIds }) => notificationIds.length === 1));
    assert.equal((await told(2)).length, 1);
    await notify(2, 'another');
    assert.equal((await told(2)).length, 2);
  });

  test('events are told once each', async () => {
    const { hear, told } = await start(database);
    const order = { orderId: orderId(3), userId: userId(3) };
    for (const id of ['one', 'one', 'two']) await hear(UserRegisteredSchema, { userId: userId(3) }, id);
    await hear(OrderRejectedSchema, { ...order, reason: 'OUT_OF_STOCK' });
    await hear(OrderCancelledSchema, { ...order, total: { currency: 'EUR', minorUnits: 500n } });
    await hear(OrderShippedSchema, order);
    assert.deepEqual(
      (await told(3)).map(({ template }) => template),
      ['order-shipped', 'order-cancelled', 'order-rejected', 'welcome'],
    );
  });

  test('the channels a user wants are used, and only those', async () => {
    const { notify, told, client, user, admin, hasPhone } = await start(database);
    hasPhone();
    const own = user(userId(4));
    const defaults = await client.getPreferences(own, { userId: userId(4) });
    assert.deepEqual([defaults.email, defaults.sms, defaults.push, defaults.version], [true, false, false, 0]);
    const wanted = { userId: userId(4), email: false, sms: true, push: true };
    assert.equal((await client.updatePreferences(own, { ...wanted, etag: '"0"' })).version, 1);
    await assert.rejects(client.updatePreferences(own, { ...wanted, etag: '"0"' }), {
      reason: 'SERVICE_VERSION_MISMATCH',
    });
    await notify(4, 'wanted');
    assert.deepEqual((await told(4)).map(({ channel }) => channel).sort(), [SMS, PUSH]);
    const letter = { userId: userId(4), subject: 'Hello', body: 'Bye', channel: EMAIL };
    assert.equal((await client.sendNotification(admin, letter)).status, SUPPRESSED);
  });

  test('an administrator writes in own words or by template, to who can be reached', async () => {
    const { client, admin, user, gone } = await start(database);
    const letter = { userId: userId(5), subject: 'Hello', body: 'Bye' };
    const made = await client.sendNotification(admin, letter);
    assert.deepEqual([made.channel, made.subject, made.body, made.status], [EMAIL, 'Hello', 'Bye', SENT]);
    const refused = (request: object, reason: string) =>
      assert.rejects(client.sendNotification(admin, { userId: userId(5), ...request }), { reason });
    await refused({ subject: 'Hello' }, 'NOTIFICATIONS_NOTHING_TO_SAY');
    await refused({ template: 'no-such' }, 'NOTIFICATIONS_TEMPLATE_UNKNOWN');
    await refused({ ...letter, channel: SMS }, 'NOTIFICATIONS_NOT_REACHABLE');
    gone.add(userId(5));
    await refused(letter, 'NOTIFICATIONS_USER_UNKNOWN');
    await assert.rejects(client.sendNotification(user(userId(5)), letter), { code: 'permission_denied' });
  });

  test('somebody who is gone is told nothing, and nobody fails by it', async () => {
    const { notify, hear, told, gone } = await start(database);
    gone.add(userId(6));
    assert.deepEqual((await notify(6, 'gone')).notificationIds, []);
    await hear(OrderShippedSchema, { orderId: orderId(6), userId: userId(6) });
    assert.deepEqual(await told(6), []);
  });

  test('a forgotten user leaves nothing', async () => {
    const { notify, client, user, hear, told } = await start(database);
    const own = user(userId(7));
    await notify(7, 'to be forgotten');
    await client.updatePreferences(own, { userId: userId(7), email: false, sms: false, push: false });
    await hear(UserDeletedSchema, { userId: userId(7) });
    assert.deepEqual(await told(7), []);
    assert.equal((await client.getPreferences(own, { userId: userId(7) })).version, 0);
  });

  test('pages hold every message once, newest first; foreign ones are refused', async () => {
    const { notify, client, user } = await start(database);
    const own = user(userId(8));
    for (const key of ['a8', 'b8', 'c8']) await notify(8, key);
    const ids: string[] = [];
    let pageToken = '';
    do {
      const page = await client.listNotifications(own, { userId: userId(8), pageSize: 2, pageToken });
      ids.push(...page.notifications.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    assert.deepEqual(ids, [...new Set(ids)].sort().reverse());
    assert.equal(ids.length, 3);
    const foreign = { userId: userId(9) };
    await assert.rejects(client.listNotifications(own, foreign), { code: 'permission_denied' });
    await assert.rejects(client.updatePreferences(own, foreign), { code: 'permission_denied' });
    await assert.rejects(client.listMailbox(own, {}), { code: 'permission_denied' });
    const { nextPageToken } = await client.listNotifications(own, { userId: userId(8), pageSize: 1 });
    await assert.rejects(client.listNotifications(user(userId(9)), { ...foreign, pageToken: nextPageToken }), {
      reason: 'SERVICE_PAGE_TOKEN_INVALID',
    });
  });

  describe('by a transport', () => {
    test('a message is queued, handed over once and then sent', async () => {
      const { channels, sent } = post();
      const { notify, told, runJob } = await start(database, channels);
      await notify(10, 'queued');
      assert.equal((await told(10))[0]?.status, QUEUED);
      await Promise.all([runJob('deliver'), runJob('deliver'), runJob('deliver')]);
      await runJob('deliver');
      const [message] = await told(10);
      assert.equal(message?.status, SENT);
      assert.deepEqual(
        sent.map(({ id, recipient }) => [id, recipient]),
        [[message?.id, 'ada.10@example.com']],
      );
    });

    test('a failure is tried again, later each time, under the same id', async () => {
      const { channels, sent, tries, failWith } = post();
      const { notify, told, runJob, runtime } = await start(database, channels);
      failWith(() => failures.BUSY());
      await notify(11, 'busy');
      await runJob('deliver');
      await runJob('deliver');
      assert.equal(tries.length, 1);
      await runtime.advance(5000);
      await runJob('deliver');
      assert.equal(tries.length, 2);
      await runtime.advance(5000);
      await runJob('deliver');
      assert.equal(tries.length, 2);
      failWith(() => undefined);
      await runtime.advance(5000);
      await runJob('deliver');
      assert.deepEqual([sent.length, new Set(tries).size, (await told(11))[0]?.status], [1, 1, SENT]);
    });

    test('a transport that is down is spared, and no message loses an attempt for it', async () => {
      const { channels, sent, tries, failWith } = post();
      const { notify, told, runJob, runtime, deps } = await start(database, channels);
      failWith(() => failures.BUSY());
      for (let n = 20; n < 45; n++) await notify(n, `spared-${n}`);
      for (let turn = 0; turn < 20; turn++) {
        await runJob('deliver');
        await runtime.advance(2500);
      }
      assert.equal(deps.policies.find('email:smtp').look().breaker?.state, 'OPEN');
      assert.ok(tries.length < 40, `${tries.length} tries reached a transport that is down`);
      failWith(() => undefined);
      const done = async () => {
        for (let n = 20; n < 45; n++) if ((await told(n))[0]?.status !== SENT) return false;
        return true;
      };
      let turns = 0;
      for (; !(await done()); turns++) {
        assert.ok(turns < 70, 'messages are sent within a few minutes of its return');
        await runJob('deliver');
        await runtime.advance(2500);
      }
      assert.deepEqual([sent.length, new Set(sent.map(({ id }) => id)).size], [25, 25]);
    });

    test('a message that was refused for good, or too often, has failed', async () => {
      const { channels, tries, failWith } = post();
      const { notify, told, runJob, runtime, counted } = await start(database, channels);
      failWith(() => failures.REFUSED());
      await notify(12, 'refused');
      await runJob('deliver');
      assert.deepEqual([(await told(12))[0]?.status, tries.length], [FAILED, 1]);
      failWith(() => new Error('a bug'));
      await notify(13, 'bug');
      for (let n = 0; n < 5; n++) {
        await runJob('deliver');
        await runtime.advance(60_000);
      }
      assert.deepEqual([(await told(13))[0]?.status, tries.length], [FAILED, 4]);
      assert.equal(counted.filter((event) => event === 'notification_failed').length, 2);
    });

    test('a message whose attempts never came to an end is given up', async () => {
      const { channels, tries } = post();
      const { notify, told, runJob } = await start(database, channels);
      await notify(14, 'lost');
      const sql = database.db.at(database.ctx);
      await sql.query('update notification set attempts = 3 where user_id = $1', [userId(14)]);
      await runJob('deliver');
      assert.deepEqual([(await told(14))[0]?.status, tries.length], [FAILED, 0]);
    });

    test('a service that stops in the middle of an attempt leaves the message queued', async () => {
      const stopping = new AbortController();
      const channels: Channels = {
        EMAIL: {
          send: async (ctx) => {
            stopping.abort();
            ctx.throwIfDone();
          },
        },
      };
      const { notify, told, deps } = await start(database, channels);
      await notify(15, 'stopped');
      await assert.rejects(deliverDue(deps)(database.ctx.with({ signal: stopping.signal })), { code: 'canceled' });
      assert.equal((await told(15))[0]?.status, QUEUED);
    });

    test('logs name messages and reasons, never people', async () => {
      const { channels, failWith } = post();
      const { notify, runJob, runtime, book } = await start(database, channels);
      failWith(({ recipient }) => failures.BUSY({}, { cause: new Error(`mailbox of ${recipient} is full`) }));
      await notify(16, 'logged');
      for (let n = 0; n < 4; n++) {
        await runJob('deliver');
        await runtime.advance(60_000);
      }
      const text = book.text();
      assert.match(text, /could not be delivered/);
      assert.match(text, /USERS_BUSY/);
      for (const personal of ['example.com', 'Lovelace', 'Ada']) assert.ok(!text.includes(personal), personal);
    });
  });
});
