import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import { type Decider, fold } from './fold.ts';
import { given } from './testing.ts';

const errors = defineErrors('LAMP', { BROKEN: { code: 'failed_precondition', text: 'the lamp is broken' } });

type Lamp = 'off' | 'on' | 'broken';
type LampEvent = { type: 'switched'; to: 'off' | 'on' } | { type: 'broke' };

const lamp: Decider<Lamp, 'press' | 'drop', LampEvent> = {
  initial: 'off',
  evolve: (_state, event) => (event.type === 'broke' ? 'broken' : event.to),
  decide: (state, command) => {
    if (command === 'drop') return state === 'broken' ? [] : [{ type: 'broke' }];
    if (state === 'broken') throw errors.BROKEN();
    return [{ type: 'switched', to: state === 'on' ? 'off' : 'on' }];
  },
};

test('a state is what its events made of it', () => {
  assert.equal(fold(lamp.evolve, lamp.initial, []), 'off');
  assert.equal(fold(lamp.evolve, lamp.initial, [{ type: 'switched', to: 'on' }, { type: 'broke' }]), 'broken');
});

test('given, when, then says what a command leads to', () => {
  given(lamp, [])
    .when('press')
    .then([{ type: 'switched', to: 'on' }]);
  given(lamp, [{ type: 'broke' }])
    .when('drop')
    .then([]);
  given(lamp, [{ type: 'broke' }])
    .when('press')
    .thenRefused('LAMP_BROKEN');
});

test('a wrong expectation fails', () => {
  assert.throws(() => given(lamp, []).when('press').then([]), assert.AssertionError);
  assert.throws(() => given(lamp, []).when('press').thenRefused('LAMP_BROKEN'), assert.AssertionError);
});
