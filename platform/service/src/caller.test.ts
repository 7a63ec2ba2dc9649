import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANONYMOUS, type Caller, rootContext, virtualRuntime } from '@souk/kernel';
import { actorOf, mayActFor, subjectOf } from './index.ts';

const as = (caller: Caller) => rootContext({ runtime: virtualRuntime(), caller });
const ada: Caller = { userId: 'ada', roles: ['customer'] };
const admin: Caller = { userId: 'root', roles: ['customer', 'admin'] };
const service: Caller = { roles: [], service: 'orders' };
const serviceForAda: Caller = { ...ada, service: 'orders' };

test('the owner, an administrator and a service on nobody’s behalf may act; others may not', () => {
  const may = (caller: Caller) => mayActFor(as(caller), 'ada');
  assert.deepEqual([ada, admin, service, serviceForAda].map(may), [true, true, true, true]);
  assert.deepEqual([{ ...ada, userId: 'eve' }, { ...serviceForAda, userId: 'eve' }, ANONYMOUS].map(may), [
    false,
    false,
    false,
  ]);
});

test('what belongs to nobody is no customer’s', () => {
  assert.equal(mayActFor(as(ada), ''), false);
  assert.equal(mayActFor(as(ANONYMOUS), ''), false);
});

test('a request is about the user it names, else about the caller', () => {
  assert.equal(subjectOf(as(admin), 'ada'), 'ada');
  assert.equal(subjectOf(as(ada), ''), 'ada');
  assert.throws(() => subjectOf(as(service), ''), { reason: 'SERVICE_SIGN_IN_REQUIRED' });
});

test('the actor is the user, else the service, else nobody by name', () => {
  assert.deepEqual(
    [serviceForAda, service, ANONYMOUS].map((caller) => actorOf(as(caller))),
    ['ada', 'orders', 'anonymous'],
  );
});
