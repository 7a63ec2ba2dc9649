import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UP } from '@souk/discovery';
import { makeCertificates } from '../../../tests/support/certificates.ts';
import { inWorld, recorded, runtime, say, slice, until } from './world.ts';

test('a recorded rollout is told step by step', () =>
  inWorld(async ({ server, registry, follow }) => {
    // The recorded versions are above those of the server.
    server.instead((request, response) => {
      if (!request.url?.includes('watch=1')) return void response.end(JSON.stringify(recorded('rollout-list.json')));
      response.flushHeaders();
      for (const event of recorded('rollout-watch.json')) response.write(`${JSON.stringify(event)}\n`);
    });
    const { told } = follow(registry());
    const [a, b, c] = ['orders-6d4cf56db6-4xkqz', 'orders-6d4cf56db6-m7s2h', 'orders-5f9b7c8d4-9wq8n'];
    await until('the end', () => told.at(-1)?.map(say).join(' ') === c);
    // Two changes that come in one packet are told as one.
    assert.equal(told[0]?.map(say).join(' '), `${a} ${b}`);
    assert.equal(server.asked.at(-1)?.query.get('resourceVersion'), '48213');
    assert.equal(server.asked.at(-1)?.query.get('allowWatchBookmarks'), 'true');
    const [last] = told.at(-1) ?? [];
    assert.deepEqual(
      { ...last, meta: { ...last?.meta } },
      {
        id: c,
        service: 'orders',
        address: '10.42.2.4',
        port: 8080,
        protocol: 'http',
        version: '1.4.0',
        zone: 'eu-west-1a',
        weight: 1,
        tags: [],
        meta: { node: 'node-c', 'for-zones': 'eu-west-1a' },
        incarnation: '7b1f9c52-4b0e-4f0e-9d6a-000000000003',
        ...UP,
      },
    );
  }));

test('what is added, changed and deleted is told, and the watch goes on from the last version when it ends', () =>
  inWorld(async ({ server, registry, follow }) => {
    server.put(slice('s1', [{ name: 'a' }]));
    const own = registry();
    const { told, now } = follow(own);
    await until('a', () => now() === 'a' && server.watching === 1);
    server.put(slice('s2', [{ name: 'b', address: '10.0.0.2', ready: false }]));
    await until('b', () => now() === 'a b:starting');
    server.put(slice('s2', [{ name: 'b', address: '10.0.0.2' }]));
    await until('b up', () => now() === 'a b');
    server.end();
    await until('the next watch', () => server.watching === 1);
    server.put(slice('s1', [{ name: 'a', terminating: true, ready: false }]));
    await until('a draining', () => now() === 'a:draining b');
    server.remove('s1');
    await until('a gone', () => now() === 'b');
    assert.equal(told.length, 5);
    const lists = server.asked.filter(
      ({ query }) => !query.has('watch') && query.get('labelSelector')?.endsWith('orders'),
    );
    assert.equal(lists.length, 1);
    assert.equal(own.health().state, 'connected');
  }));

test('a bookmark moves the version on, so that a watch can go on after a compaction', () =>
  inWorld(async ({ server, registry, follow, said }) => {
    server.put(slice('s1', [{ name: 'a' }]));
    const { now } = follow(registry());
    await until('a', () => now() === 'a' && server.watching === 1);
    for (let count = 0; count < 5; count++) server.put(slice('other', [{ name: 'x' }], 'stock'));
    server.bookmark();
    server.compact();
    await runtime.timers.sleep(50);
    server.end();
    await until('the next watch', () => server.asked.at(-1)?.query.get('resourceVersion') === '1006');
    assert.equal(said.filter(({ message }) => message.includes('listing again')).length, 0);
  }));

test('a version that is gone, as a status or as an event, makes a new list, and only what is different is told', () =>
  inWorld(async ({ server, registry, follow, said }) => {
    server.put(slice('s1', [{ name: 'a' }]), slice('s2', [{ name: 'b', address: '10.0.0.2' }]));
    const { told, now } = follow(registry());
    await until('both', () => now() === 'a b' && server.watching === 1);
    await server.down();
    server.remove('s1');
    server.put(slice('s3', [{ name: 'c', address: '10.0.0.3' }]));
    server.compact();
    await server.up();
    await until('the present', () => now() === 'b c' && server.watching === 1);
    assert.equal(told.length, 2);
    server.say(`${JSON.stringify(recorded('expired-event.json'))}\n`);
    await until('the second list', () => said.filter(({ message }) => message.includes('listing again')).length === 2);
    await until('a watch', () => server.watching === 1);
    server.remove('s2');
    await until('news', () => now() === 'c');
    assert.equal(told.length, 3);
  }));

test('an API server that was set back to older versions is listed again', () =>
  inWorld(async ({ server, registry, follow }) => {
    server.put(slice('s1', [{ name: 'a' }]));
    const { now } = follow(registry());
    await until('a', () => now() === 'a' && server.watching === 1);
    server.say(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '999999' } } })}\n`);
    await runtime.timers.sleep(50);
    server.end();
    await until('a watch', () => server.watching === 1 && server.asked.at(-1)?.query.get('resourceVersion') === '1001');
    server.remove('s1');
    await until('news', () => now() === '');
  }));

test('connections that are cut in the middle of a line lose nothing', () =>
  inWorld(async ({ server, registry, follow }) => {
    server.put(slice('s1', [{ name: 'a' }]));
    const own = registry();
    const { told, now } = follow(own);
    await until('a', () => now() === 'a' && server.watching === 1);
    for (let cuts = 0; cuts < 3; cuts++) {
      server.say('{"type":"MODIFIED","object":{"metadata":{"na');
      await runtime.timers.sleep(20);
      server.cut();
      await until('the loss', () => server.watching === 0);
      server.put(slice('s1', [{ name: `a${cuts}` }]));
      await until('the change', () => now() === `a${cuts}` && server.watching === 1);
    }
    assert.equal(told.length, 4);
    await until('health', () => own.health().state === 'connected' && own.health().lastError === undefined);
  }));

test('lines that arrive byte by byte, several at once, or with a character cut in two are read', () =>
  inWorld(async ({ server, registry, follow }) => {
    const { now, told } = follow(registry());
    await until('an answer', () => now() === '' && server.watching === 1);
    const event = (name: string, version: number) => {
      const object = slice('s1', [{ name, address: '10.0.0.1' }]);
      const metadata = {
        ...object.metadata,
        annotations: { 'souk/tags': 'größe-漢' },
        resourceVersion: String(version),
      };
      return `${JSON.stringify({ type: 'MODIFIED', object: { ...object, metadata } })}\n`;
    };
    const bytes = Buffer.from(event('a', 1001));
    server.say(...Array.from(bytes, (byte) => Buffer.of(byte)));
    await until('a', () => now() === 'a');
    assert.deepEqual(told.at(-1)?.[0]?.tags, ['größe-漢']);
    server.say(`\n${event('b', 1002)}${event('c', 1003)}`);
    await until('c', () => now() === 'c');
  }));

const garbageLines = ['no json', '[]', 'null', '7', '{}', '{"type":"ADDED"}', '{"type":"ADDED","object":7}'];

test('a watch that says what makes no sense is ended, listed again, and nothing has changed', async () => {
  await Promise.all(
    garbageLines.map((garbage) =>
      inWorld(async ({ server, registry, follow, said }) => {
        server.put(slice('s1', [{ name: 'a' }]));
        const own = registry();
        const { told, now } = follow(own);
        await until('a', () => now() === 'a' && server.watching === 1);
        server.say(`${garbage}\n`);
        await until(`the end of the watch with ${garbage}`, () => server.watching === 0);
        await until('the next watch', () => server.watching === 1 && own.health().state === 'connected');
        assert.ok(said.some(({ fields }) => /something else/.test(String(fields?.why))));
        server.put(slice('s1', [{ name: 'b' }]));
        await until('b', () => now() === 'b');
        assert.equal(told.length, 2);
      }),
    ),
  );
});

const garbageAnswers = [
  '<html>',
  '<html>\n',
  '[]',
  'null',
  '7',
  '{}',
  '{"items":7,"metadata":{"resourceVersion":"1"}}',
];

test('a server that answers with something else is said to, and believed again when it is itself', async () => {
  await Promise.all(
    garbageAnswers.map((answer) =>
      inWorld(async ({ server, registry, follow }) => {
        server.put(slice('s1', [{ name: 'a' }]));
        const own = registry();
        const { told, now } = follow(own);
        await until('a', () => now() === 'a' && server.watching === 1);
        server.instead((_, response) => void response.end(answer));
        server.cut();
        await until(`an error with ${answer}`, () => /something else/.test(own.health().lastError ?? ''));
        server.instead(undefined);
        await until('the next watch', () => server.watching === 1 && own.health().state === 'connected');
        server.put(slice('s1', [{ name: 'b' }]));
        await until('b', () => now() === 'b');
        assert.equal(told.length, 2);
      }),
    ),
  );
});

test('an event of a kind that nobody knows, and an object without a name, are left out', () =>
  inWorld(async ({ server, registry, follow, said }) => {
    const { told, now } = follow(registry());
    await until('an answer', () => now() === '' && server.watching === 1);
    server.say('{"type":"RENAMED","object":{"metadata":{"name":"s9","resourceVersion":"1001"}}}\n');
    server.say('{"type":"ADDED","object":{"metadata":{"resourceVersion":"1002"}}}\n');
    await until('both', () => said.length >= 2);
    server.put(slice('s1', [{ name: 'a' }]));
    await until('a', () => now() === 'a');
    assert.equal(told.length, 2);
  }));

test('a token that is not taken any more is asked for again', () =>
  inWorld(async ({ server, registry, follow }) => {
    let token = 'first-token';
    server.require('first-token');
    server.put(slice('s1', [{ name: 'a' }]));
    const own = registry({ token: () => token });
    const { now } = follow(own);
    await until('a', () => now() === 'a' && server.watching === 1);
    server.require('second-token');
    server.cut();
    await until('the refusal', () => own.health().state === 'connecting' && /401/.test(own.health().lastError ?? ''));
    assert.match(own.health().lastError ?? '', /Unauthorized/);
    assert.doesNotMatch(own.health().lastError ?? '', /token/);
    assert.equal(now(), 'a');
    token = 'second-token';
    await until('a watch', () => server.watching === 1);
    server.put(slice('s1', [{ name: 'b' }]));
    await until('b', () => now() === 'b');
    assert.equal(own.health().lastError, undefined);
  }));

test('without rights a registry says which ones are missing', () =>
  inWorld(async ({ server, registry }) => {
    server.instead(
      (_, response) => void response.writeHead(403).end(JSON.stringify(recorded('status-forbidden.json'))),
    );
    const own = registry();
    await until('the refusal', () => own.health().lastError !== undefined);
    assert.match(own.health().lastError ?? '', /403.*cannot list resource "endpointslices".*namespace "shop"/);
  }));

test('a server that asks to be left alone is', () =>
  inWorld(async ({ server, registry, follow }) => {
    server.put(slice('s1', [{ name: 'a' }]));
    server.instead((_, response) => void response.writeHead(429, { 'retry-after': '1' }).end());
    const { now } = follow(registry());
    await until('a request', () => server.asked.some(({ query }) => query.get('labelSelector')?.endsWith('orders')));
    const before = server.asked.length;
    server.instead(undefined);
    await runtime.timers.sleep(800);
    assert.equal(server.asked.length, before);
    await until('a', () => now() === 'a');
  }));

test('a server that is slow, or says nothing at all, holds nobody up', () =>
  inWorld(async ({ server, registry, follow }) => {
    server.put(slice('s1', [{ name: 'a' }]));
    server.instead(() => {});
    const own = registry({ callMs: 200 });
    const { now } = follow(own);
    await until('the loss', () => /did not answer.*200 ms/.test(own.health().lastError ?? ''));
    server.instead((_, response) => void response.writeHead(200).write('{"kind":'));
    server.cut();
    const before = server.asked.length;
    await until('two more', () => server.asked.length > before + 2);
    assert.equal(own.health().state, 'connecting');
    server.instead(undefined);
    await until('a', () => now() === 'a');
  }));

test('a watch over which nothing comes is begun anew when its time is over', () =>
  inWorld(async ({ server, registry, follow }) => {
    server.put(slice('s1', [{ name: 'a' }]));
    const { now } = follow(registry({ watchMs: 300, callMs: 200 }));
    await until('a', () => now() === 'a' && server.watching === 1);
    const before = server.asked.length;
    await until('two more', () => server.asked.length >= before + 2);
    server.put(slice('s1', [{ name: 'b' }]));
    await until('b', () => now() === 'b');
    assert.equal(server.asked.at(-1)?.query.get('timeoutSeconds'), '1');
  }));

test('without a server a registry says so, and tells when it is there', () =>
  inWorld(async ({ server, registry, follow }) => {
    await server.down();
    const own = registry();
    const { told, now } = follow(own);
    await until('an error', () => /ECONNREFUSED/.test(own.health().lastError ?? ''));
    assert.equal(own.health().state, 'connecting');
    assert.equal(told.length, 0);
    await server.up();
    server.put(slice('s1', [{ name: 'a' }]));
    await until('a', () => now() === 'a');
    assert.equal(own.health().state, 'connected');
  }));

test('more endpoints than a slice holds are one set, also over several pages', () =>
  inWorld(async ({ server, registry, follow }) => {
    const pods = Array.from({ length: 1234 }, (_, index) => ({
      name: `orders-${1000 + index}`,
      address: `10.1.${index >> 8}.${index & 255}`,
    }));
    for (let at = 0; at < pods.length; at += 2) server.put(slice(`s-${at}`, pods.slice(at, at + 2)));
    const { now, told } = follow(registry());
    await until('all', () => now() === pods.map(({ name }) => name).join(' '));
    assert.equal(told.length, 1);
    const pages = server.asked.filter(
      ({ query }) => query.get('limit') === '500' && query.get('labelSelector')?.endsWith('orders'),
    );
    assert.equal(pages.length, 2);
  }));

test('a pod that moves from slice to slice is there once at every moment', () =>
  inWorld(async ({ server, registry, follow }) => {
    const [a, b] = [{ name: 'a' }, { name: 'b', address: '10.0.0.2' }];
    server.put(slice('s1', [a, b]));
    const { told, now } = follow(registry());
    await until('both', () => now() === 'a b' && server.watching === 1);
    server.put(slice('s2', [b]));
    server.put(slice('s1', [a, { ...b, ready: false, terminating: true }]));
    await until('the later of both', () => now() === 'a b:draining');
    server.put(slice('s1', [a]));
    await until('the only one', () => now() === 'a b');
    assert.ok(told.every((set) => new Set(set.map(({ id }) => id)).size === set.length));
  }));

test('several Services of Kubernetes can make up one of ours', () =>
  inWorld(async ({ server, registry, follow }) => {
    server.put(
      slice('s1', [{ name: 'a' }], 'orders-stable'),
      slice('s2', [{ name: 'b', address: '10.0.0.2' }], 'orders-canary'),
    );
    const servicesOf = (service: string) => [`${service}-stable`, `${service}-canary`];
    const { now, told } = follow(registry({ servicesOf }));
    await until('both', () => now() === 'a b');
    assert.ok(told.at(-1)?.every(({ service }) => service === 'orders'));
  }));

test('who watches no more asks no more, and a registry without watches knows whether the server is there', () =>
  inWorld(async ({ server, registry }) => {
    const own = registry();
    await until('a connection', () => own.health().state === 'connected');
    const watch = own.watch('orders', () => {});
    const isAsked = () => server.asked.at(-1)?.query.get('labelSelector')?.endsWith('=orders') === true;
    await until('the watch', () => isAsked() && server.watching === 1);
    watch.close();
    await until('another', () => !isAsked() && server.watching === 1);
    await server.down();
    await until('the loss', () => own.health().state === 'connecting');
    await own.close();
    assert.equal(own.health().state, 'closed');
  }));

test('over TLS the authority of the cluster is checked', async () => {
  const { ca, cert, key, remove } = makeCertificates();
  remove();
  await inWorld(
    async ({ server, registry, follow }) => {
      server.put(slice('s1', [{ name: 'a' }]));
      const { now } = follow(registry({ ca, token: 'a-token' }));
      await until('a', () => now() === 'a' && server.watching === 1);
      server.cut();
      server.put(slice('s1', [{ name: 'b' }]));
      await until('b', () => now() === 'b');
      const trusting = registry({ token: 'a-token' });
      await until('the refusal', () => trusting.health().lastError !== undefined);
      assert.match(trusting.health().lastError ?? '', /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/);
    },
    { cert, key },
  );
});
