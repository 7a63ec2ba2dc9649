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
