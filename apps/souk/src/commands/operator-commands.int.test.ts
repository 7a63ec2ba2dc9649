import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, beforeEach, test } from 'node:test';
import { parseGiven } from '../cli/command.ts';
import { findCommand } from '../cli/command-group.ts';
import { dlqCommands } from './dlq/group.ts';
import { sagaCommands } from './saga/group.ts';

// The commands of operators against answers that are written down here: what they ask for, and what they make of it.

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'souk.js');
const TOKEN = 'a-token-of-the-operator';

interface Asked {
  readonly what: string;
  readonly token: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

const folder = mkdtempSync(join(tmpdir(), 'souk-operator-'));
let asked: Asked[] = [];
let answers: Record<string, unknown[]> = {};

const server = createServer(async (request, response) => {
  const body = await textOf(request);
  const what = `${request.method} ${request.url}`;
  asked.push({ what, token: request.headers.authorization, body: body === '' ? {} : JSON.parse(body) });
  const ready = answers[what] ?? [];
  const answer = ready.length > 1 ? ready.shift() : ready[0];
  response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer ?? { title: 'Not Found', detail: `nothing at ${what}`, status: 404 }));
});

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

before(async () => {
  writeFileSync(join(folder, 'operator-token'), TOKEN);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => {
  asked = [];
  answers = {};
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function souk(...args: string[]) {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [BIN, ...args, '--url', url], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    env: { PATH: process.env.PATH, SOUK_DATA: folder },
  });
  const written = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    written.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    written.err += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, ...written };
}

const saga = (id: string, more: object = {}) => ({
  ...{ service: 'orders', id, name: 'place-order', definitionVersion: 1, status: 'STUCK', direction: 'FORWARD' },
  ...{ step: 'capture-payment', seq: 9, updatedAt: new Date(Date.now() - 61_000).toISOString() },
  error: { reason: 'PAYMENTS_HOLD_EXPIRED' },
  ...more,
});
const job = (state: string, done: number, refusals: Record<string, number> = {}) => ({
  ...{ id: 'job_1', kind: 'retry sagas', state, done, total: 3, refusals },
  refused: Object.values(refusals).reduce((sum, count) => sum + count, 0),
});

test('a list asks for what was chosen, page by page up to the limit, as the operator', async () => {
  const query = 'status=STUCK&older_than=10m';
  answers[`GET /api/v1/admin/sagas?${query}&page_size=3`] = [
    { sagas: [saga('ord_1'), saga('ord_2', { direction: 'BACKWARD' })], nextPageToken: 'more' },
  ];
  answers[`GET /api/v1/admin/sagas?${query}&page_size=1&page_token=more`] = [
    { sagas: [saga('ord_3')], nextPageToken: 'yet-more' },
  ];
  const { code, out, err } = await souk('saga', 'list', '--status', 'stuck', '--older-than', '10m', '--limit', '3');
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^STATUS +SAGA +ID +STEP +FOR +REASON\nSTUCK +orders place-order@1 +ord_1 +capture-payment +1 min/);
  assert.match(out, /ord_2 +↶ capture-payment/);
  assert.match(out, /The first 3; there are more: --limit 6\n$/);
  assert.deepEqual(new Set(asked.map(({ token }) => token)), new Set([`Bearer ${TOKEN}`]));
});

test('what is unknown to this release is left out of words, and kept in JSON', async () => {
  answers['GET /api/v1/admin/sagas?page_size=50'] = [{ sagas: [saga('ord_1', { colour: 'blue' })], nextPageToken: '' }];
  assert.match((await souk('saga', 'list')).out, /ord_1/);
  assert.equal(JSON.parse((await souk('saga', 'list', '--json')).out)[0].colour, 'blue');
});

test('an action carries its reason, and an id of its own each time', async () => {
  const path = 'POST /api/v1/admin/sagas/ord_1/actions';
  answers[path] = [{ saga: saga('ord_1'), effect: 'ord_1 goes on', done: true }];
  const skip = ['saga', 'skip', 'ord_1', '--output', '{"shipmentId":""}', '--reason', 'sent by hand'];
  assert.match((await souk(...skip)).out, /^✓ ord_1 goes on\n/);
  await souk(...skip);
  const [first, second] = asked.map(({ body }) => body);
  assert.partialDeepStrictEqual(first, { action: 'SKIP', reason: 'sent by hand', output: { shipmentId: '' } });
  assert.notEqual(first?.actionId, second?.actionId);
});

test('what is not said clearly is not done', async () => {
  const cases: [args: string[], pattern: RegExp][] = [
    [['saga', 'retry', 'ord_1'], /--reason must say why/],
    [['saga', 'retry', 'ord_1', '--reason', 'x'], /--reason must say why/],
    [['saga', 'skip', 'ord_1', '--reason', 'by hand'], /--output is missing/],
    [['saga', 'skip', 'ord_1', '--reason', 'by hand', '--output', '{secret'], /--output was given what is no JSON/],
    [['saga', 'edit', 'all', '--status', 'STUCK', '--reason', 'by hand', '--input', '{}'], /"all" cannot be/],
    [['saga', 'retry', 'all', '--reason', 'it is back'], /"all" wants a filter/],
    [['saga', 'retry', 'ord_1', '--force', '--reason', 'it is back'], /--force has no meaning here/],
    [['saga', 'show'], /<id> is missing/],
    [['dlq', 'redrive', 'orders-1', '--type', 't', '--reason', 'mended'], /either ids or a filter/],
    [['dlq', 'redrive', 'orders-1', 'all', '--reason', 'mended'], /"all" stands alone/],
  ];
  for (const [args, pattern] of cases) {
    const found = findCommand([sagaCommands, dlqCommands], args);
    assert.ok(found.is === 'command');
    const run = async () => found.command.run(parseGiven(found.command, found.args));
    await assert.rejects(run, ({ reason, message }: { reason: string; message: string }) => {
      assert.deepEqual([reason, message.includes('secret')], ['APP_USAGE', false]);
      assert.match(message, pattern);
      return true;
    });
  }
  assert.deepEqual(asked, []);
});

test('what cannot be taken back is not done where nobody can be asked', async () => {
  for (const [args, pattern] of [
    [['saga', 'give-up', 'ord_1', '--reason', 'settled'], /Give up ord_1 for ever: nobody can be asked/],
    [
      ['projection', 'rebuild', 'history', '--reason', 'mended'],
      /Rebuild history from all events: nobody can be asked/,
    ],
  ] as const) {
    const { code, out, err } = await souk(...args);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, pattern);
  }
  assert.deepEqual(asked, []);
});

test('many are shown, confirmed by token, followed to their end, and refusals are told', async () => {
  answers['POST /api/v1/admin/saga-actions/preview'] = [{ count: 3, sample: [saga('ord_1')], confirmToken: 'tok' }];
  answers['POST /api/v1/admin/saga-actions'] = [job('RUNNING', 0)];
  answers['GET /api/v1/admin/jobs/job_1'] = [job('RUNNING', 1), job('DONE', 3, { 'SAGA_CHANGED: it has changed': 1 })];
  const all = ['saga', 'retry', 'all', '--status', 'STUCK', '--reason', 'it is back', '--yes'];
  const { code, out } = await souk(...all, '--rate', '5');
  assert.equal(code, 1);
  assert.match(out, /ord_1[\s\S]*… and 2 more\n✓ 2 sagas go on\n {2}1 refused: SAGA_CHANGED: it has changed\n$/);
  assert.deepEqual(asked[0]?.body, { action: 'RETRY', filter: { status: 'STUCK' } });
  assert.deepEqual(asked[1]?.body, { confirmToken: 'tok', reason: 'it is back', ratePerSecond: 5, force: false });
});

test('without --yes nothing is done where nobody can be asked, but the count is shown', async () => {
  answers['POST /api/v1/admin/saga-actions/preview'] = [{ count: 3, sample: [saga('ord_1')], confirmToken: 'tok' }];
  const all = ['saga', 'retry', 'all', '--status', 'STUCK', '--reason', 'it is back'];
  const refused = await souk(...all);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /retry 3 sagas: nobody can be asked here, so --yes is needed/);
  const dry = await souk(...all, '--dry-run');
  assert.deepEqual([dry.code, /3 sagas match/.test(dry.out)], [0, true]);
  assert.deepEqual(new Set(asked.map(({ what }) => what)), new Set(['POST /api/v1/admin/saga-actions/preview']));
});

test('a job that fails says why, and ends the command with 1', async () => {
  answers['POST /api/v1/admin/projections/history/rebuild'] = [job('RUNNING', 0)];
  answers['GET /api/v1/admin/jobs/job_1'] = [{ ...job('FAILED', 2), error: 'the database is away' }];
  const { code, out } = await souk('projection', 'rebuild', 'history', '--reason', 'counted wrongly', '--yes');
  assert.deepEqual([code, out], [1, '✗ failed after 2 events seen: the database is away\n']);
});

test('what the shop refuses is said in its words', async () => {
  const { code, err } = await souk('saga', 'show', 'ord_9');
  assert.deepEqual(
    [code, err],
    [1, 'souk: the shop refused GET /api/v1/admin/sagas/ord_9: nothing at GET /api/v1/admin/sagas/ord_9 (404)\n'],
  );
});
