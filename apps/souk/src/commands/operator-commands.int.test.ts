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
import { resilienceCommands } from './resilience/group.ts';
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
    [['resilience', 'show'], /<name> is missing/],
    [['resilience', 'set', 'rpc:*', 'timeout=5'], /--reason must say why/],
    [['resilience', 'set', 'rpc:*', '--reason', 'slow'], /<change> is missing/],
    [['resilience', 'set', 'rpc:*', 'timeout', '--reason', 'slow'], /'timeout' is no change/],
    [['resilience', 'set', 'rpc:*', 'timeout=5', '--clear', '--reason', 'slow'], /nothing can be set beside it/],
    [['resilience', 'set', 'rpc:*', '{secret', '--reason', 'slow'], /<change> was given what is no JSON/],
    [['resilience', 'isolate', 'http:bank', '--reason', 'slow'], /--for must say how long/],
    [['resilience', 'isolate', 'http:bank', '--reason', 'slow', '--for', '10'], /--for wants a time.*got '10'/],
    [['resilience', 'isolate', 'http:bank', '--reason', 'slow', '--for', '0m'], /--for wants a time/],
    [['resilience', 'release', 'http:bank'], /--reason must say why/],
    [['resilience', 'reset', 'http:bank'], /--reason must say why/],
  ];
  for (const [args, pattern] of cases) {
    const found = findCommand([sagaCommands, dlqCommands, resilienceCommands], args);
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

const POLICIES = '/api/v1/admin/resilience/policies';
const BANK = `${POLICIES}/http%3Abank`;
const override = { owner: 'usr_ada', reason: 'they count', wants: 'OPEN', leftSeconds: 60, everywhere: false };
const policy = (name: string, more: object = {}) => ({ name, kind: 'call', counts: { calls: '1' }, ...more });
const bank = (more: object = {}) => ({ policy: policy('http:bank', { breaker: { state: 'CLOSED', ...more } }) });
const LAID = { pattern: 'rpc:*', change: { timeout: 5 }, actor: 'operator', reason: 'slow' };

test('policies are read to the last page; those never called are counted, and shown when asked for', async () => {
  const first = `GET ${POLICIES}?pattern=rpc%3A*&kind=call&troubled=true&page_size=500`;
  answers[first] = [{ policies: [policy('rpc:a')], changes: [LAID], nextPageToken: 'more' }];
  answers[`${first}&page_token=more`] = [
    { policies: [policy('rpc:b', { counts: { calls: '0' } })], changes: [LAID], nextPageToken: '' },
  ];
  const list = (...more: string[]) =>
    souk('resilience', 'list', 'rpc:*', '--kind', 'call', '--troubled', ...more).then(({ out }) => out);
  const short = await list();
  assert.match(short, /^ {2}POLICY[^\n]*\n {2}rpc:a[\s\S]*rpc:\* {2}\{"timeout":5\} {2}by operator: slow\n/);
  assert.match(short, /Further 1 were never called: --all\n$/);
  assert.doesNotMatch(short, /rpc:b/);
  assert.match(await list('--all'), /rpc:b/);
  const { policies, changes } = JSON.parse(await list('--json'));
  assert.deepEqual([policies.length, changes], [2, [LAID]]);
});

test('a change of one policy is done at once, and one of many is shown and confirmed first', async () => {
  answers[`GET ${POLICIES}?pattern=http%3Abank&page_size=1`] = [{ policies: [policy('http:bank')] }];
  answers[`GET ${POLICIES}?pattern=rpc%3A*&page_size=1`] = [{ policies: [policy('rpc:a')] }];
  const path = 'POST /api/v1/admin/resilience/changes';
  answers[path] = [{ changed: ['http:bank'], done: true }];
  const one = await souk('resilience', 'set', 'http:bank', 'timeout=500', 'hedge=null', '--reason', 'slow tonight');
  assert.deepEqual([one.code, one.err], [0, '']);
  assert.match(one.out, /^✓ changed: http:bank, [\s\S]*take it back: npx souk resilience set http:bank --clear/);
  assert.deepEqual(asked.at(-1)?.body, {
    ...{ pattern: 'http:bank', change: { timeout: 500, hedge: null }, reason: 'slow tonight', dryRun: false },
  });

  asked = [];
  answers[path] = [{ changed: ['rpc:a', 'rpc:b'], done: false }];
  const unasked = await souk('resilience', 'set', 'rpc:*', 'timeout=500', '--reason', 'slow tonight');
  assert.equal(unasked.code, 2);
  assert.match(unasked.out, /^2 policies would change:\n {2}rpc:a\n {2}rpc:b\n$/);
  assert.match(unasked.err, /Change 2 policies: nobody can be asked here, so --yes is needed/);
  const dry = await souk('resilience', 'set', 'rpc:*', 'timeout=500', '--reason', 'slow tonight', '--dry-run');
  assert.equal(dry.code, 0);
  assert.deepEqual(
    asked.filter(({ what }) => what === path).map(({ body }) => body.dryRun),
    [true, true],
  );
  const yes = await souk('resilience', 'set', 'rpc:*', 'timeout=500', '--reason', 'slow tonight', '--yes');
  assert.match(yes.out, /✓ changed: 2 policies[\s\S]*set 'rpc:\*' --clear/);
  assert.equal(asked.at(-1)?.body.dryRun, false);
});

test('a change that fits nothing says that it waits, and one that was never made cannot be taken back', async () => {
  answers[`GET ${POLICIES}?pattern=http%3Abnk&page_size=1`] = [{ policies: [], changes: [LAID] }];
  answers['POST /api/v1/admin/resilience/changes'] = [{ changed: [], done: true }];
  const typo = await souk('resilience', 'set', 'http:bnk', 'timeout=5', '--reason', 'slow tonight');
  assert.match(typo.out, /^No policy fits http:bnk now, the change waits for those that will/);
  asked = [];
  for (const back of ['--clear', 'null']) {
    const { code, err } = await souk('resilience', 'set', 'http:bnk', back, '--reason', 'over now');
    assert.equal(code, 1);
    assert.match(err, /nothing is set for http:bnk, only for rpc:\*/);
  }
  assert.equal(asked.length, 2);
});

test('an isolation carries its time and its reason, and says how to end it', async () => {
  answers[`POST ${BANK}/isolate`] = [bank({ state: 'FORCED_OPEN', overrides: [{ ...override, owner: 'operator' }] })];
  const args = ['resilience', 'isolate', 'http:bank', '--for', '10m', '--reason', 'they asked'];
  const { code, out } = await souk(...args, '--here');
  assert.equal(code, 0);
  assert.match(out, /^✓ http:bank is isolated for 10m: its target is not called\n {2}isolated by operator, 1 min left/);
  assert.match(out, /sooner: npx souk resilience release http:bank --reason/);
  await souk(...args);
  assert.deepEqual(
    asked.map(({ body }) => body),
    [true, false].map((hereOnly) => ({ reason: 'they asked', ttl: '10m', hereOnly })),
  );
});

test('a release says how the breaker stands and who still holds it; a reset asks before it ends what somebody wanted', async () => {
  answers[`POST ${BANK}/release`] = [bank({ state: 'FORCED_OPEN', overrides: [override] })];
  const { out } = await souk('resilience', 'release', 'http:bank', '--owner', 'usr_bob', '--reason', 'they are back');
  assert.match(out, /^✓ http:bank: its breaker is FORCED_OPEN\n {2}isolated by usr_ada, 1 min left: they count\n$/);
  assert.deepEqual(asked[0]?.body, { reason: 'they are back', owner: 'usr_bob' });

  answers[`GET ${BANK}`] = [bank({ state: 'FORCED_OPEN', overrides: [override] })];
  answers[`POST ${BANK}/reset`] = [bank()];
  const reset = ['resilience', 'reset', 'http:bank', '--reason', 'they are back'];
  const unasked = await souk(...reset);
  assert.equal(unasked.code, 2);
  assert.match(unasked.err, /Reset http:bank, isolated by usr_ada, 1 min left: they count: nobody can be asked/);
  assert.deepEqual(
    asked.map(({ what }) => what).filter((what) => what.endsWith('/reset')),
    [],
  );
  assert.match((await souk(...reset, '--yes')).out, /^✓ http:bank: its breaker is CLOSED\n$/);
  answers[`GET ${BANK}`] = [bank({ state: 'OPEN' })];
  answers[`POST ${BANK}/reset`] = [bank({ state: 'OPEN' })];
  assert.match((await souk(...reset)).out, /^✓ http:bank: its breaker is OPEN, and the next call tries its target\n$/);
});
