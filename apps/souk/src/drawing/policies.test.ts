import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { PolicyChangeSchema, PolicyDetailsSchema, PolicySchema } from '@souk/contracts/admin/v1/resilience';
import { plain } from './palette.ts';
import { drawPolicy } from './policy-details.ts';
import { policyOverview } from './policy-table.ts';

const NOW = Date.parse('2026-11-21T03:00:00.000Z');
const FINE = { name: 'sql:orders', kind: 'sql', breaker: { state: 'CLOSED', calls: 30 } };
const ISOLATED = {
  name: 'http:bank',
  kind: 'http',
  troubles: ['breaker FORCED_OPEN', '34 % fail'],
  breaker: {
    state: 'FORCED_OPEN',
    since: '2026-11-21T02:56:58.000Z',
    calls: 50,
    failureRate: 0.34,
    slowRate: 0,
    openForSeconds: 552,
    lastCause: 'PAYMENTS_PROVIDER_DOWN',
    overrides: [
      { owner: 'operator', reason: 'the bank\u001b[2J asked us', wants: 'OPEN', leftSeconds: 552, everywhere: true },
    ],
  },
  slots: { limit: 64, active: 2, queued: 3, zombies: 1 },
  throttled: 0.2,
  retryBudget: 99.5,
  latency: { p50: 16.92, p95: 102.7, p99: 1210 },
  counts: {
    calls: '900',
    retries: '40',
    ended_failure: '17',
    refused_breaker_open: '20',
    refused_bulkhead: '1',
    late: '0',
  },
};
const CHANGE = {
  pattern: 'http:*',
  change: { timeout: 500 },
  actor: 'operator',
  reason: 'slow tonight',
  changedAt: '2026-11-21T02:50:00.000Z',
};
const overview = (policies: JsonObject[], changes: JsonObject[] = [], width = 200) =>
  policyOverview(
    policies.map((one) => fromJson(PolicySchema, one)),
    changes.map((one) => fromJson(PolicyChangeSchema, one)),
    { width, palette: plain },
  );
const draw = (details: JsonObject, width = 200) =>
  drawPolicy(fromJson(PolicyDetailsSchema, details), { width, nowMs: NOW, palette: plain }).join('\n');

test('what is not well is told in words first, and stands first among the figures', () => {
  assert.deepEqual(overview([{ ...FINE, name: 'a' }, ISOLATED, FINE], [CHANGE]), [
    '✗ http:bank: breaker FORCED_OPEN; 34 % fail',
    '    isolated by operator, on all instances, 9 min 12 s left: the bank [2J asked us',
    '',
    '  POLICY      BREAKER         P50     P99  CALLS  FAILED  REFUSED  RETRIES  KIND',
    '✗ http:bank   FORCED_OPEN   17 ms   1.2 s    900      17       21       40  http',
    '  a           CLOSED                           0                            sql',
    '  sql:orders  CLOSED                           0                            sql',
    '',
    'Changed at run time, until the process ends',
    '  http:*  {"timeout":500}  by operator: slow tonight',
  ]);
});

test('a list in which all is well begins with the figures, and no line is longer than the terminal', () => {
  assert.match(overview([FINE])[0] as string, /^ {2}POLICY/);
  for (const line of overview([ISOLATED, FINE], [CHANGE], 50)) assert.ok([...line].length <= 50, line);
  for (const line of draw({ policy: ISOLATED, changes: [CHANGE] }, 200).split('\n')) assert.ok([...line].length <= 200);
});

test('a policy is drawn with who holds it, why and for how long, what is in force and what can be done', () => {
  const details = {
    policy: ISOLATED,
    effective: { timeout: 500, breaker: { consecutive: 10 } },
    changes: [CHANGE],
    reports: [{ instance: 'one', state: 'FORCED_OPEN', calls: 50, failureRate: 0.34 }],
    acknowledged: ['one'],
    missing: ['two'],
  };
  assert.equal(
    draw(details),
    `http:bank  http  FORCED_OPEN
✗ breaker FORCED_OPEN
✗ 34 % fail
  isolated by operator, on all instances, 9 min 12 s left: the bank [2J asked us

breaker     FORCED_OPEN for 3 min 2 s; refuses for 9 min 12 s; 50 calls seen, 34 % failed, 0 % slow; last cause PAYMENTS_PROVIDER_DOWN
slots       2 of 64 taken, 3 wait, 1 without a caller
throttle    20 % of all calls not sent
retries     99 would be granted now
latency     p50 17 ms, p95 103 ms, p99 1.2 s
counts      calls 900, retries 40, ended_failure 17, refused_breaker_open 20, refused_bulkhead 1

In force
  timeout   500
  breaker   {"consecutive":10}

Changed at run time, the weakest first, until the process ends
  http:*  {"timeout":500}  by operator: slow tonight
    2026-11-21 02:50:00 UTC

Instances
  one  FORCED_OPEN, 50 calls, 34 % failed
  act on the last order: one
  have not said so yet: two

What can be done
  npx souk resilience release http:bank --owner operator --reason '…'
  npx souk resilience set http:bank timeout=500 --dry-run --reason '…'`,
  );
});

test('a breaker that opened by itself can be isolated or reset, and a policy without one only be changed', () => {
  const open = draw({ policy: { ...FINE, breaker: { state: 'OPEN', calls: 20 } } });
  assert.match(open, /resilience isolate sql:orders --for 10m[\s\S]*resilience reset sql:orders/);
  assert.doesNotMatch(draw({ policy: FINE }), /resilience reset/);
  assert.doesNotMatch(draw({ policy: { name: 'server', kind: 'server', shed: 0.25 } }), /isolate|reset|breaker/);
});
