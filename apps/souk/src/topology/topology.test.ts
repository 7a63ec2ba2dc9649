import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import { parseTopology, splitTopology, withInstances } from './topology.ts';

const SERVICES = ['users', 'orders', 'payments'];
const instancesOf = (topology: { processes: readonly { name: string; instances: number }[] }) =>
  Object.fromEntries(topology.processes.map(({ name, instances }) => [name, instances]));
const invalid = (pattern: RegExp) => (error: unknown) =>
  hasReason(error, 'APP_TOPOLOGY_INVALID') && pattern.test((error as Error).message);

test('split is a process for each service, one for operators and one for requests from outside', () => {
  const { processes } = splitTopology(SERVICES);
  assert.deepEqual(
    processes.map(({ name, services, edge, operator }) => [name, services, edge, operator]),
    [
      ['users', ['users'], false, false],
      ['orders', ['orders'], false, false],
      ['payments', ['payments'], false, false],
      ['operator', [], false, true],
      ['edge', [], true, false],
    ],
  );
});

test('instances are set by the name of a process or of a service in it', () => {
  const topology = parseTopology({ processes: { money: { services: ['payments', 'orders'] } } }, SERVICES);
  const set = withInstances(topology, ' orders=3, edge=2');
  assert.deepEqual(instancesOf(set), { money: 3, rest: 1, operator: 1, edge: 2 });
});

test('what a file leaves out is added, so that every service has exactly one kind of process', () => {
  const service = fc.subarray(SERVICES);
  fc.assert(
    fc.property(service, fc.boolean(), fc.boolean(), (services, edge, operator) => {
      const given: Record<string, unknown> = {};
      if (services.length > 0) given.some = { services, instances: 2 };
      if (edge) given.front = { edge: true };
      if (operator) given.desk = { operator: true };
      const { processes } = parseTopology({ processes: given }, SERVICES);
      assert.deepEqual(processes.flatMap((one) => one.services).toSorted(), SERVICES.toSorted());
      assert.equal(processes.filter((one) => one.edge).length, 1);
      assert.equal(processes.filter((one) => one.operator).length, 1);
    }),
  );
});

test('a mistake is named with where it is and what there is', () => {
  const cases: [unknown, RegExp][] = [
    [undefined, /needs "processes"/],
    [[], /needs "processes"/],
    [{ processes: {}, more: 1 }, /has 'more'/],
    [{ processes: { Orders: {} } }, /'Orders' is no name/],
    [{ processes: { a: { services: ['shop'] } } }, /a service 'shop'; there are users, orders, payments/],
    [{ processes: { a: { services: ['orders'] }, b: { services: ['orders'] } } }, /orders is in two/],
    [{ processes: { a: { edge: true }, b: { edge: true } } }, /a and b are both the edge/],
    [{ processes: { a: { edge: true, services: ['users'] } } }, /is the edge and has services/],
    [{ processes: { a: {} } }, /nothing to do/],
    [{ processes: { a: { services: ['users'], instances: 0 } } }, /from 1 to 50/],
    [{ processes: { a: { services: ['users'], ports: ['x'] } } }, /list of ports/],
    [{ processes: { a: { services: 'users' } } }, /list of names/],
    [{ processes: { a: { services: ['users'], size: 1 } } }, /has 'size'; it may have/],
  ];
  for (const [given, pattern] of cases) assert.throws(() => parseTopology(given, SERVICES), invalid(pattern));
  assert.throws(() => withInstances(splitTopology(SERVICES), 'shop=2'), invalid(/no process shop; there are users/));
  assert.throws(() => withInstances(splitTopology(SERVICES), 'orders'), invalid(/'orders' is no number of instances/));
});

test('whatever a file holds is a topology or a mistake that is named', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (given) => {
      try {
        parseTopology({ processes: given }, SERVICES);
      } catch (error) {
        assert.ok(isSoukError(error) && error.reason === 'APP_TOPOLOGY_INVALID');
      }
    }),
  );
});
