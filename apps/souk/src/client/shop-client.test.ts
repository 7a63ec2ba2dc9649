import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createShopClient } from './shop-client.ts';

/** Refuses the first requests as an overloaded shop does, and says what it was asked. */
async function overloaded(refusals: number) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const refused = asked.length <= refusals;
    response.writeHead(refused ? 503 : 200, {
      'content-type': 'application/json',
      ...(refused && { 'retry-after': '0' }),
    });
    response.end(JSON.stringify(refused ? { detail: 'too much to do' } : { is: 'well' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { asked, client: createShopClient(`http://127.0.0.1:${port}/`), close: () => server.close() };
}

test('who only looks is patient with a shop that says when to come again', async () => {
  const { asked, client, close } = await overloaded(3);
  assert.deepEqual(await client.call('GET', '/x'), { is: 'well' });
  assert.equal(asked.length, 4);
  close();
});

test('patience ends', async () => {
  const { client, close } = await overloaded(100);
  await assert.rejects(client.call('GET', '/x'), { reason: 'APP_REFUSED', message: /GET \/x.*too much to do \(503\)/ });
  close();
});

test('what changes something is sent once', async () => {
  const { asked, client, close } = await overloaded(1);
  await assert.rejects(client.call('POST', '/x', { body: {} }), { reason: 'APP_REFUSED' });
  assert.deepEqual(asked, ['POST /x']);
  close();
});
