import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { SagaDetailsSchema } from '@souk/contracts/admin/v1/sagas';
import fc from 'fast-check';
import { plain } from './palette.ts';
import { drawSaga } from './saga-timeline.ts';

const ID = 'ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4';
const START = Date.parse('2026-11-21T05:20:11.000Z');
/** The time so many milliseconds after the start of the saga. */
const at = (ms: number): string => new Date(START + ms).toISOString();

const STEPS = [
  ['check-user', 'READ', 1],
  ['reserve-stock', 'COMPENSATABLE', 2],
  ['authorize-payment', 'COMPENSATABLE', 3],
  ['confirm-order', 'PIVOT', 4],
  ['capture-payment', 'RETRIABLE', 5],
  ['commit-stock', 'RETRIABLE', 5],
  ['arrange-shipping', 'RETRIABLE', 6],
] as const;

type States = Readonly<Record<string, string | JsonObject>>;

/** A place-order saga; steps are OPEN unless said otherwise. */
const saga = (facts: JsonObject, states: States, records: JsonObject[], actions: JsonObject[] = []) =>
  fromJson(SagaDetailsSchema, {
    saga: { service: 'orders', id: ID, name: 'place-order', definitionVersion: 1, startedAt: at(0), ...facts },
    steps: STEPS.map(([name, kind, group]) => {
      const state = states[name] ?? 'OPEN';
      return { name, kind, group, ...(typeof state === 'string' ? { state } : state) };
    }),
    records: records.map((record, index) => ({ seq: index + 1, ...record })),
    actions,
  });

const done = (step: string, ms: number, attempt = 1): JsonObject => ({ kind: 'STEP_DONE', step, attempt, at: at(ms) });
const failed = (
  step: string,
  attempt: number,
  ms: number,
  outcome = 'failed',
  reason = 'PAYMENTS_DOWN',
): JsonObject => ({
  kind: 'STEP_FAILED',
  step,
  attempt,
  at: at(ms),
  outcome,
  error: { step, code: 'unavailable', reason, message: 'no answer in time' },
});
const draw = (details: Parameters<typeof drawSaga>[0], ms: number, width = 110): string =>
  drawSaga(details, { width, nowMs: START + ms, palette: plain }).join('\n');
const started: JsonObject = { kind: 'STARTED', at: at(0) };

const stuck = saga(
  {
    status: 'STUCK',
    direction: 'FORWARD',
    step: 'capture-payment',
    seq: 10,
    updatedAt: at(1900),
    deadlineAt: at(900_000),
    error: { step: 'capture-payment', code: 'failed_precondition', reason: 'PAYMENTS_HOLD_EXPIRED', message: 'gone' },
  },
  {
    'check-user': 'DONE',
    'reserve-stock': 'DONE',
    'authorize-payment': 'DONE',
    'confirm-order': 'DONE',
    'capture-payment': 'FAILED',
    'commit-stock': 'DONE',
  },
  [
    started,
    done('check-user', 12),
    done('reserve-stock', 40),
    failed('authorize-payment', 1, 340, 'unknown'),
    done('authorize-payment', 900, 2),
    done('confirm-order', 930),
    done('commit-stock', 960),
    failed('capture-payment', 1, 1900, 'refused', 'PAYMENTS_HOLD_EXPIRED'),
    {
      kind: 'STUCK',
      at: at(1900),
      error: { step: 'capture-payment', code: 'failed_precondition', reason: 'PAYMENTS_HOLD_EXPIRED', message: 'gone' },
    },
    {
      kind: 'ACTION',
      action: 'RETRY',
      step: 'capture-payment',
      at: at(60_000),
      actor: 'operator',
      reason: 'the provider said it is there again',
    },
  ],
  [
    { action: 'RETRY', step: 'capture-payment' },
    { action: 'SKIP', step: 'capture-payment' },
    { action: 'EDIT', step: 'capture-payment' },
    { action: 'COMPENSATE', needsForce: true },
    { action: 'GIVE_UP' },
  ],
);

test('a stuck saga shows every step, each failed attempt, and what can be done as ready commands', () => {
  assert.equal(
    draw(stuck, 725_000, 140),
    `
place-order@1  ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4  STUCK at capture-payment
orders: started 2026-11-21 05:20:11 UTC, 12 min 5 s ago; journal 10

✓ check-user                 +12 ms       12 ms
✓ reserve-stock              +40 ms       28 ms
✓ authorize-payment         +900 ms      860 ms  2 attempts
│   #1  05:20:11  unknown  PAYMENTS_DOWN  no answer in time
✓ confirm-order             +930 ms       30 ms  point of no return
✗ ┬ capture-payment          +1.9 s      970 ms
│   #1  05:20:12  refused  PAYMENTS_HOLD_EXPIRED  no answer in time
│   stuck at 05:20:12  PAYMENTS_HOLD_EXPIRED  gone
│   retry by operator at 05:21:11: the provider said it is there again
✓ └ commit-stock            +960 ms       30 ms
○ arrange-shipping

What can be done
  npx souk saga retry ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4 --reason '…'
  npx souk saga skip ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4 --step capture-payment --output '{}' --reason '…'
  npx souk saga edit ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4 --step capture-payment --input @input.json --reason '…'
  npx souk saga compensate ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4 --force --reason '…'
  npx souk saga give-up ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4 --reason '…'`.slice(1),
  );
});

test('what was taken back stands below what turned it back', () => {
  const details = saga(
    { status: 'COMPENSATED', direction: 'BACKWARD', seq: 8, updatedAt: at(800) },
    { 'check-user': 'DONE', 'reserve-stock': 'UNDONE', 'authorize-payment': 'FAILED' },
    [
      started,
      done('check-user', 10),
      done('reserve-stock', 30),
      failed('authorize-payment', 1, 300, 'refused', 'PAYMENTS_CARD_DECLINED'),
      {
        kind: 'TURNED',
        at: at(300),
        error: {
          step: 'authorize-payment',
          code: 'failed_precondition',
          reason: 'PAYMENTS_CARD_DECLINED',
          message: 'declined',
        },
      },
      {
        kind: 'UNDO_FAILED',
        step: 'reserve-stock',
        attempt: 1,
        at: at(400),
        outcome: 'failed',
        error: { reason: 'RPC_DOWN' },
      },
      { kind: 'UNDO_DONE', step: 'reserve-stock', attempt: 2, at: at(780) },
      { kind: 'ENDED', at: at(800) },
    ],
  );
  assert.equal(
    draw(details, 90_000),
    `
place-order@1  ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4  COMPENSATED
orders: started 2026-11-21 05:20:11 UTC, 1 min 30 s ago; took 800 ms; journal 8

✓ check-user                 +10 ms       10 ms
✓ reserve-stock              +30 ms       20 ms
✗ authorize-payment         +300 ms      270 ms
│   #1  05:20:11  refused  PAYMENTS_CARD_DECLINED  no answer in time
↶ turned back at 05:20:11  authorize-payment: PAYMENTS_CARD_DECLINED, declined
✓ ↶ reserve-stock           +780 ms  taken back  2 attempts
│   #1  05:20:11  failed   RPC_DOWN
■ taken back                +800 ms`.slice(1),
  );
});

test('a step that waits says when it is tried again, and a pause says who held it and why', () => {
  const details = saga(
    {
      status: 'WAITING',
      direction: 'FORWARD',
      step: 'reserve-stock',
      seq: 3,
      wakeAt: at(22_000),
      deadlineAt: at(900_000),
    },
    { 'check-user': 'DONE', 'reserve-stock': { state: 'CURRENT', retryAt: at(22_000) } },
    [
      started,
      done('check-user', 10),
      ...Array.from({ length: 12 }, (_, index) => failed('reserve-stock', index + 1, 100 + index * 1000)),
      { kind: 'ACTION', action: 'PAUSE', at: at(12_000), actor: 'usr_1', reason: 'the warehouse is counting' },
      { kind: 'ACTION', action: 'RESUME', at: at(13_000), actor: 'usr_1', reason: 'counted' },
    ],
  );
  assert.equal(
    draw(details, 14_000),
    `
place-order@1  ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4  WAITING at reserve-stock
orders: started 2026-11-21 05:20:11 UTC, 14.0 s ago; goes on in 8.0 s; deadline in 14 min 46 s; journal 3

✓ check-user                 +10 ms       10 ms
◌ reserve-stock             +11.1 s      11.0 s  12 attempts  tries again in 8.0 s
│   #1  05:20:11  failed   PAYMENTS_DOWN  no answer in time
│   #2  05:20:12  failed   PAYMENTS_DOWN  no answer in time
│   … 7 more
│   #10 05:20:20  failed   PAYMENTS_DOWN  no answer in time
│   #11 05:20:21  failed   PAYMENTS_DOWN  no answer in time
│   #12 05:20:22  failed   PAYMENTS_DOWN  no answer in time
» pause by usr_1 at 05:20:23: the warehouse is counting
» resume by usr_1 at 05:20:24: counted
○ authorize-payment
○ confirm-order        point of no return
○ ┬ capture-payment
○ └ commit-stock
○ arrange-shipping`.slice(1),
  );
});

test('a skipped step, a waived undo and a saga that was given up are told from what the saga did itself', () => {
  const details = saga(
    { status: 'TERMINATED', direction: 'BACKWARD', seq: 9, updatedAt: at(9000) },
    { 'check-user': 'SKIPPED', 'reserve-stock': 'WAIVED', 'authorize-payment': 'TO_UNDO' },
    [
      started,
      {
        kind: 'ACTION',
        action: 'SKIP',
        step: 'check-user',
        at: at(1000),
        actor: 'operator',
        reason: 'checked by hand',
      },
      done('reserve-stock', 1100),
      done('authorize-payment', 1200),
      { kind: 'ACTION', action: 'CANCEL', at: at(2000), actor: 'operator', reason: 'ordered twice' },
      { kind: 'TURNED', at: at(2001), error: { reason: 'SAGA_CANCELLED', message: 'ordered twice' } },
      {
        kind: 'ACTION',
        action: 'SKIP',
        step: 'reserve-stock',
        at: at(3000),
        actor: 'operator',
        reason: 'released by hand',
      },
      { kind: 'ACTION', action: 'GIVE_UP', at: at(9000), actor: 'operator', reason: 'ticket 4711' },
      { kind: 'ENDED', at: at(9000) },
    ],
  );
  assert.equal(
    draw(details, 10_000),
    `
place-order@1  ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4  TERMINATED
orders: started 2026-11-21 05:20:11 UTC, 10.0 s ago; took 9.0 s; journal 9

» check-user                 +1.0 s       1.0 s  skipped
│   skip by operator at 05:20:12: checked by hand
✓ reserve-stock              +1.1 s      100 ms
✓ authorize-payment          +1.2 s      100 ms
» cancel by operator at 05:20:13: ordered twice
↶ turned back at 05:20:13  SAGA_CANCELLED, ordered twice
» ↶ reserve-stock            +3.0 s  waived
│   skip by operator at 05:20:14: released by hand
» give-up by operator at 05:20:20: ticket 4711
○ ↶ authorize-payment  left as it was
■ given up                   +9.0 s`.slice(1),
  );
});

test('no line is wider than the terminal, but for commands, which must stay whole', () => {
  fc.assert(
    fc.property(fc.integer({ min: 40, max: 200 }), (width) => {
      for (const line of draw(stuck, 725_000, width).split('\n')) {
        assert.ok(line.trimStart().startsWith('npx souk saga') || [...line].length <= width, `${width}: ${line}`);
      }
    }),
  );
});

test('texts from elsewhere cannot steer the terminal', () => {
  const evil = '\u001b[2J\u009b31m\r\nowned\u202e';
  const details = saga({ status: 'STUCK', direction: 'FORWARD', step: evil }, { 'check-user': 'FAILED' }, [
    started,
    { ...failed('check-user', 1, 10), error: { step: 'check-user', reason: evil, message: evil } },
    { kind: 'ACTION', action: 'RETRY', step: 'check-user', at: at(1), actor: evil, reason: evil },
  ]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
  assert.doesNotMatch(draw(details, 1000).replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u202e]/);
});
