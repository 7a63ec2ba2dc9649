import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { saga } from './builder.ts';

interface Deps {
  readonly stock: { reserve(sku: string): Promise<string> };
}
const undo = async () => {};
const run = async () => {};

test('a step sees the results of the steps before it, typed', () => {
  const definition = saga<Deps, { sku: string }>('place-order', 1)
    .deadline('15m')
    .step('check-user', { kind: 'read', run: async () => ({ email: 'x' }) })
    .step('reserve-stock', {
      kind: 'compensatable',
      run: async (_ctx, call, deps) => ({
        id: await deps.stock.reserve(call.input.sku + call.results['check-user'].email),
      }),
      undo: async (_ctx, call) => call.result?.id.toUpperCase(),
    })
    .step('confirm-order', { kind: 'pivot', run: async (_ctx, call) => call.results['reserve-stock'].id.length })
    .parallel((group) =>
      group
        .step('capture', { kind: 'retriable', run: async (_ctx, call) => call.results['confirm-order'] + 1 })
        // @ts-expect-error a sibling's result is not there
        .step('commit-stock', { kind: 'retriable', run: async (_ctx, call) => call.results.capture }),
    )
    .step('notify', {
      kind: 'retriable',
      run: async (_ctx, call) => {
        call.results.capture.toFixed();
      },
    })
    .onCompensated(async (_ctx, call) => call.failure.reason)
    .define();

  assert.equal(definition.deadlineMs, 900_000);
  assert.deepEqual(
    definition.groups.map((group) => group.map((step) => step.name)),
    [['check-user'], ['reserve-stock'], ['confirm-order'], ['capture', 'commit-stock'], ['notify']],
  );
  assert.equal(definition.groups[1]?.[0]?.retry.attempts, 5);
  assert.equal(definition.groups[4]?.[0]?.retry.attempts, Number.POSITIVE_INFINITY);
  assert.ok(Object.isFrozen(definition));
});

const base = () => saga<Deps, null>('s', 1);
const child = saga<Deps, number>('child', 1)
  .step('only', { kind: 'read', run: async () => 'x' })
  .define();
const afterPivot = () => base().step('a', { kind: 'pivot', run });
const afterRetriable = () => base().step('a', { kind: 'retriable', run });
const afterRead = () => base().step('a', { kind: 'read', run });
const impossible: Record<string, () => { define(): unknown }> = {
  'a compensatable step after the pivot': () =>
    // @ts-expect-error it could not be taken back
    afterPivot().step('b', { kind: 'compensatable', run, undo }),
  'a second pivot': () =>
    // @ts-expect-error there is one point of no return
    afterPivot().step('b', { kind: 'pivot', run }),
  'a pivot after a retriable step': () =>
    // @ts-expect-error a retriable step cannot be taken back
    afterRetriable().step('b', { kind: 'pivot', run }),
  'an undo on a retriable step': () =>
    // @ts-expect-error nothing calls it
    base().step('b', { kind: 'retriable', run, undo }),
  'a compensatable step without undo': () =>
    // @ts-expect-error it needs one
    base().step('b', { kind: 'compensatable', run }),
  'a second step of the same name': () =>
    // @ts-expect-error results are known by name
    afterRead().step('a', { kind: 'read', run }),
  'a pivot in a group': () =>
    // @ts-expect-error it stands alone
    base().parallel((g) => g.step('b', { kind: 'pivot', run }).step('c', { kind: 'read', run })),
  'a retriable step beside a compensatable one': () =>
    base().parallel((g) => g.step('a', { kind: 'retriable', run }).step('b', { kind: 'compensatable', run, undo })),
  'a child that can be undone after the pivot': () =>
    // @ts-expect-error it could not be taken back
    afterPivot().child('b', { kind: 'compensatable', saga: child, input: () => 1, undo }),
  'a child as a second pivot': () =>
    // @ts-expect-error there is one point of no return
    afterPivot().child('b', { kind: 'pivot', saga: child, input: () => 1 }),
  'a child of the name of a step': () =>
    // @ts-expect-error results are known by name
    afterRead().child('a', { kind: 'read', saga: child, input: () => 1 }),
  'a compensatable child without undo': () =>
    // @ts-expect-error it needs one
    base().child('b', { kind: 'compensatable', saga: child, input: () => 1 }),
  'a wait that would turn back after the pivot': () =>
    // @ts-expect-error there is only forward
    afterPivot().waitFor('b', { signal: 'go', onTimeout: 'turn' }),
  'a wait of the name of a step': () =>
    // @ts-expect-error results are known by name
    afterRead().waitFor('a', { signal: 'go', onTimeout: 'turn' }),
  'a sleep of the name of a step': () =>
    // @ts-expect-error results are known by name
    afterRead().sleep('a', '1s'),
  'a question about a step that is not the pivot': () =>
    // @ts-expect-error what may have happened is repeated, or undone
    base().step('b', { kind: 'read', run, resolve: async () => 'unknown' }),
  'a wait that is longer than the deadline of the saga': () =>
    base().waitFor('b', { signal: 'go', timeout: '2d', onTimeout: 'turn' }),
  'a signal that is not in kebab-case': () => base().waitFor('b', { signal: '$go', onTimeout: 'turn' }),
  'a name that is not kebab-case': () => base().step('Reserve Stock', { kind: 'read', run }),
  'a saga without steps': base,
  'a version below 1': () => saga<Deps, null>('s', 0).step('a', { kind: 'read', run }),
};

for (const [name, declare] of Object.entries(impossible)) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => declare().define(),
      (error) => hasReason(error, 'SAGA_INVALID_DEFINITION'),
    );
  });
}

test('a result that does not survive JSON is a compile error', () => {
  const bigint = async () => 1n;
  // @ts-expect-error bigint is not JSON
  base().step('a', { kind: 'read', run: bigint });
});

test('the result of a step that may be skipped, or of a wait that may be over, may be undefined; that of a child is its results', () => {
  base()
    .step('maybe', { kind: 'read', when: () => false, run: async () => 'x' })
    .waitFor('strict', { signal: 'go', onTimeout: 'turn' })
    .waitFor('loose', { signal: 'go', onTimeout: 'continue' })
    .child('kid', { kind: 'read', saga: child, input: ({ results }) => results.maybe?.length ?? 0 })
    .sleep('nap', ({ results }) => results.kid.only.length)
    .step('end', {
      kind: 'read',
      run: async (_ctx, { results }) => {
        // @ts-expect-error it may have been skipped
        results.maybe.length;
        // @ts-expect-error the time may have been over
        results.loose.toString();
        results.strict?.toString();
      },
    });
  // @ts-expect-error the child wants a number
  base().child('kid', { kind: 'read', saga: child, input: () => 'x' });
});

test('a pivot that has a result must say what it is when it is asked', () => {
  const text = async () => 'x';
  base().step('p', { kind: 'pivot', run: text, resolve: async () => ({ done: 'x' }) });
  base().step('p', { kind: 'pivot', run, resolve: async () => 'done' });
  // @ts-expect-error what was done has a result
  base().step('p', { kind: 'pivot', run: text, resolve: async () => 'done' });
});
