import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isSoukError, systemRuntime } from '@souk/kernel';
import { servedKv, virtualKv } from '../../test/kv-world.ts';

const refused = (status: number, text: RegExp) => (error: unknown) =>
  isSoukError(error) && error.httpStatus === status && text.test(error.message);
const one = (json: unknown): Record<string, unknown> =>
  (json as Record<string, unknown>[])[0] as Record<string, unknown>;

test('a key shows all of itself, an empty value as null, and no session when nobody has locked it', async () => {
  const kv = virtualKv();
  await kv.call('PUT', '/v1/kv/a?flags=18446744073709551615', 'hello');
  const { json } = await kv.call('GET', '/v1/kv/a');
  const rev = kv.index('/v1/kv/a');
  assert.equal(
    JSON.stringify(json),
    `[{"LockIndex":0,"Key":"a","Flags":18446744073709551615,"Value":"aGVsbG8=","CreateIndex":${rev},"ModifyIndex":${rev}}]`,
  );
  await kv.call('PUT', '/v1/kv/a');
  const after = one((await kv.call('GET', '/v1/kv/a')).json);
  assert.deepEqual([after.Value, after.CreateIndex, after.Flags], [null, rev, 0]);
});

test('any bytes come back as they went, raw too, and a browser does not run them', async () => {
  const kv = virtualKv();
  const bytes = Buffer.from([0, 255, 10, 13, 128]);
  await kv.call('PUT', '/v1/kv/bytes', bytes);
  const reply = await kv.call('GET', '/v1/kv/bytes?raw');
  assert.deepEqual(reply.bytes, bytes);
  assert.deepEqual(reply.headers, {
    'content-type': 'text/plain',
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox',
  });
});

test('what is not there is 404 without a body, an empty list of all keys is a list', async () => {
  const kv = virtualKv();
  for (const url of ['/v1/kv/a', '/v1/kv/a?raw', '/v1/kv/a?recurse', '/v1/kv/?recurse', '/v1/kv/a?keys']) {
    assert.deepEqual(await kv.call('GET', url), { status: 404 }, url);
  }
  assert.deepEqual(await kv.call('GET', '/v1/kv/?keys'), { json: [] });
});

test('keys are listed in order, with a separator as far as the next one', async () => {
  const kv = virtualKv();
  for (const key of ['b', 'a/x/2', 'a/x/1', 'a/y', 'a', 'a--z']) await kv.call('PUT', `/v1/kv/${key}`);
  const keys = async (query: string) => (await kv.call('GET', `/v1/kv/${query}`)).json;
  assert.deepEqual(await keys('?keys'), ['a', 'a--z', 'a/x/1', 'a/x/2', 'a/y', 'b']);
  assert.deepEqual(await keys('?keys&separator=/'), ['a', 'a--z', 'a/', 'b']);
  assert.deepEqual(await keys('a/?keys&separator=/'), ['a/x/', 'a/y']);
  assert.deepEqual(await keys('a/?keys&seperator=/'), ['a/x/', 'a/y']);
  assert.deepEqual(await keys('a?keys&separator=--'), ['a', 'a--', 'a/x/1', 'a/x/2', 'a/y']);
});

test('what cannot be meant is refused with the words that clients know', async () => {
  const kv = virtualKv();
  const cases = [
    ['GET', '/v1/kv/', 400, /^Missing key name$/],
    ['PUT', '/v1/kv/', 400, /^Missing key name$/],
    ['DELETE', '/v1/kv/', 400, /^Missing key name$/],
    ['PUT', '/v1/kv/a?cas=1&acquire=x', 400, /^Conflicting flags: cas=1&acquire=x$/],
    ['PUT', '/v1/kv/a?acquire=x&release=x&token=secret', 400, /^Conflicting flags: acquire=x&release=x$/],
    ['DELETE', '/v1/kv/a?recurse&cas=1', 400, /^Conflicting flags: /],
    ['DELETE', '/v1/kv/a?cas=0', 400, /from 1 to/],
    ['PUT', '/v1/kv/a?cas=x', 400, /Invalid value for cas/],
    ['PUT', '/v1/kv/a?flags=-1', 400, /Invalid value for flags/],
    ['PUT', '/v1/kv/a?flags=18446744073709551616', 400, /Invalid value for flags/],
    ['PUT', '/v1/kv/a?acquire=', 400, /^Missing session$/],
    ['PUT', '/v1/kv/a?acquire=nobody', 500, /^invalid session "nobody"$/],
    ['PUT', '/v1/kv/a/%2e%2e/b', 400, /^Invalid key name: it climbs with \.\.$/],
    ['GET', '/v1/kv/a/%2e%2e%2fb?recurse', 400, /^Invalid key name/],
    ['DELETE', '/v1/kv/%252e%252e%252fb?recurse', 400, /^Invalid key name/],
  ] as const;
  for (const [method, url, status, text] of cases) {
    await assert.rejects(kv.call(method, url), refused(status, text), `${method} ${url}`);
  }
});

test('a deletion with a check takes only what the client has seen', async () => {
  const kv = virtualKv();
  await kv.call('PUT', '/v1/kv/a', '1');
  const index = kv.index('/v1/kv/a');
  assert.equal((await kv.call('DELETE', `/v1/kv/a?cas=${index + 1}`)).json, false);
  assert.equal((await kv.call('DELETE', `/v1/kv/a?cas=${index}`)).json, true);
  assert.equal((await kv.call('DELETE', `/v1/kv/a?cas=${index}`)).json, true);
});

test('indexes never go back, however many keys have come and gone', async () => {
  const kv = virtualKv();
  await kv.call('PUT', '/v1/kv/app/first');
  await kv.call('DELETE', '/v1/kv/app/first');
  const [gone, prefix] = [kv.index('/v1/kv/app/first'), kv.index('/v1/kv/app?recurse')];
  assert.equal(prefix, gone);
  for (let count = 0; count < 40; count += 1) {
    const change = Array.from({ length: 64 * 4 }, (_, at) => `many/${count}/${at}`);
    for (let at = 0; at < change.length; at += 64) {
      const set = change.slice(at, at + 64).map((Key) => ({ KV: { Verb: 'set', Key } }));
      await kv.call('PUT', '/v1/txn', JSON.stringify(set));
    }
    await kv.call('DELETE', '/v1/kv/many?recurse');
  }
  // More than 10,000 are gone by now: the first is forgotten, its index is not.
  assert.ok(kv.index('/v1/kv/app/first') >= gone);
  assert.ok(kv.index('/v1/kv/app?recurse') >= prefix);
  assert.ok(kv.index('/v1/kv/other') >= 1);
  assert.deepEqual((await kv.call('GET', '/v1/kv/?keys')).json, []);
});

async function served(t: TestContext) {
  const kv = await servedKv(systemRuntime());
  t.after(kv.close);
  const request = async (method: string, url: string, body?: string) => {
    const response = await fetch(`${kv.base}${url}`, { method, ...(body === undefined ? {} : { body }) });
    const index = Number(response.headers.get('x-consul-index'));
    return { status: response.status, headers: response.headers, index, text: await response.text() };
  };
  return { ...kv, request };
}

test('over HTTP: a key that is missing has an index to wait on, and 404 with nothing in it', async (t) => {
  const { request } = await served(t);
  const missing = await request('GET', '/v1/kv/a');
  assert.deepEqual([missing.status, missing.text, missing.index], [404, '', 1]);
  assert.equal(missing.headers.get('x-consul-knownleader'), 'true');
  const waiting = request('GET', `/v1/kv/a?index=${missing.index}&wait=10s`);
  await request('PUT', '/v1/kv/b', 'other');
  await request('PUT', '/v1/kv/a', 'now');
  const found = await waiting;
  assert.equal(found.status, 200);
  assert.equal(JSON.parse(found.text)[0].Value, Buffer.from('now').toString('base64'));
  const gone = request('GET', `/v1/kv/a?index=${found.index}&wait=10s`);
  await request('DELETE', '/v1/kv/a');
  assert.deepEqual([(await gone).status, (await gone).index > found.index], [404, true]);
});

test('over HTTP: who waits for keys below a folder hears of those and of no other', async (t) => {
  const { request, world } = await served(t);
  await request('PUT', '/v1/kv/app/a', '1');
  const before = await request('GET', '/v1/kv/app/?recurse');
  let woken = false;
  const waiting = request('GET', `/v1/kv/app/?recurse&index=${before.index}&wait=10s`).then((reply) => {
    woken = true;
    return reply;
  });
  for (const other of ['apple', 'app', 'zoo/app/']) await request('PUT', `/v1/kv/${other}`, '1');
  assert.equal(woken, false);
  assert.equal(world.revisions.waiters, 1);
  await request('DELETE', '/v1/kv/app/a');
  assert.equal((await waiting).status, 404);
});

test('over HTTP: a value has at most 512 KiB', async (t) => {
  const { request } = await served(t);
  assert.equal((await request('PUT', '/v1/kv/big', 'x'.repeat(512 * 1024))).text, 'true');
  const refusal = await request('PUT', '/v1/kv/big', 'x'.repeat(512 * 1024 + 1));
  assert.equal(refusal.status, 413);
  assert.match(refusal.text, /^Request body\(524289 bytes\) too large, max size: 524288 bytes\. See /);
});

test('over HTTP: writers that check and set lose no step, whoever comes first', async (t) => {
  const { request } = await served(t);
  const steps: { readonly from: number; readonly to: number }[] = [];
  const writer = async (): Promise<void> => {
    for (let done = 0; done < 10; ) {
      const seen = await request('GET', '/v1/kv/counter');
      const from = seen.status === 404 ? 0 : Number(JSON.parse(seen.text)[0].ModifyIndex);
      const count = seen.status === 404 ? 0 : Number(Buffer.from(JSON.parse(seen.text)[0].Value, 'base64'));
      const written = await request('PUT', `/v1/kv/counter?cas=${from}`, String(count + 1));
      if (written.text !== 'true') continue;
      done += 1;
      steps.push({ from, to: count + 1 });
    }
  };
  await Promise.all(Array.from({ length: 5 }, writer));
  const { text } = await request('GET', '/v1/kv/counter?raw');
  assert.equal(text, '50');
  // Each state was left once, and each number written once: the writes are one chain.
  assert.equal(new Set(steps.map(({ from }) => from)).size, 50);
  assert.equal(new Set(steps.map(({ to }) => to)).size, 50);
});
