import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageNamed, rulesService } from '../test/rules.ts';
import { eventRules, fieldRules, methodRules } from './index.ts';

const rulesOf = (name: string) => methodRules(rulesService.methods.find((method) => method.name === name)!);

test('a method says who may call it, how often and how it is reached', () => {
  assert.deepEqual(rulesOf('Ruled'), {
    access: 'admin',
    ownerField: 'userId',
    idempotency: 'key',
    noSideEffects: false,
    creates: true,
    timeoutMs: 1500,
    criticality: 'critical_plus',
    routes: [
      { verb: 'PUT', path: '/v1/texts/{short}', body: '*' },
      { verb: 'GET', path: '/v1/texts', body: '' },
    ],
  });
});

test('a method without rules is for services only and may not be repeated', () => {
  assert.deepEqual(rulesOf('Plain'), {
    access: 'internal',
    ownerField: undefined,
    idempotency: 'none',
    noSideEffects: false,
    creates: false,
    timeoutMs: undefined,
    criticality: 'default',
    routes: [],
  });
});

test('a method without side effects may be repeated', () => {
  assert.deepEqual([rulesOf('Read').noSideEffects, rulesOf('Read').idempotency], [true, 'natural']);
});

test('an owner that is not a field of the request is refused', () => {
  assert.throws(() => rulesOf('NoOwner'), { reason: 'SCHEMA_BAD_CONTRACT' });
});

test('an event has a type and a field that orders it', () => {
  assert.deepEqual(eventRules(messageNamed('Happened')), { type: 'rules.happened.v1', keyField: 'orderId' });
  for (const name of ['Texts', 'KeylessEvent']) {
    assert.throws(() => eventRules(messageNamed(name)), { reason: 'SCHEMA_BAD_CONTRACT' }, name);
  }
});

test('a field has the rules of its contract, or none', () => {
  const { field } = messageNamed('Texts');
  assert.equal(fieldRules(field.short!).maxLen, 4);
  assert.deepEqual(fieldRules(field.choice!).in, ['a', 'b']);
  assert.deepEqual([fieldRules(field.plain!).required, fieldRules(field.plain!).header], [false, '']);
});
