import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRegistry } from './registry.ts';

const linesOf = (page: string) =>
  page
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('#'));

test('counters, gauges and histograms are written in the text format', () => {
  const registry = createRegistry();
  const metrics = registry.view({ service: 'orders' });
  metrics.counter({ name: 'a_total', help: 'As.', labels: ['x'] }).add(2, { x: '1' });
  metrics.gauge({ name: 'b', help: 'Bs.' }).set(-1.5, {});
  const histogram = metrics.histogram({ name: 'c_seconds', help: 'Cs.', buckets: [0.1, 1], labels: ['x'] });
  for (const value of [0.1, 0.5, 5]) histogram.observe(value, { x: 'y' });
  assert.equal(
    registry.exposition(),
    [
      '# HELP a_total As.',
      '# TYPE a_total counter',
      'a_total{service="orders",x="1"} 2',
      '# HELP b Bs.',
      '# TYPE b gauge',
      'b{service="orders"} -1.5',
      '# HELP c_seconds Cs.',
      '# TYPE c_seconds histogram',
      'c_seconds_bucket{service="orders",x="y",le="0.1"} 1',
      'c_seconds_bucket{service="orders",x="y",le="1"} 2',
      'c_seconds_bucket{service="orders",x="y",le="+Inf"} 3',
      'c_seconds_sum{service="orders",x="y"} 5.6',
      'c_seconds_count{service="orders",x="y"} 3',
      '',
    ].join('\n'),
  );
});

test('services share a family and have series of their own', () => {
  const registry = createRegistry();
  const definition = { name: 'a_total', help: 'As.' };
  registry.view({ service: 'orders' }).counter(definition).add(1, {});
  const users = registry.view({ service: 'users' });
  users.counter(definition).add(2, {});
  users.counter(definition).add(3, {});
  assert.deepEqual(linesOf(registry.exposition()), ['a_total{service="orders"} 1', 'a_total{service="users"} 5']);
  assert.equal(registry.exposition().match(/# TYPE a_total/g)?.length, 1);
});

test('label values are escaped so that any text comes back', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const registry = createRegistry();
      registry
        .view({})
        .gauge({ name: 'g', help: 'back\\slash\nline', labels: ['x'] })
        .set(1, { x: value });
      const page = registry.exposition();
      assert.match(page, /# HELP g back\\\\slash\\nline\n/);
      const written = page.slice(page.indexOf('g{x="') + 5, page.lastIndexOf('"} 1'));
      const read = written.replaceAll(/\\(.)/gs, (_, one: string) => (one === 'n' ? '\n' : one));
      assert.equal(read, value);
      assert.doesNotMatch(written, /\n/);
    }),
  );
});

test('a counter adds up as a map of sums would, by any labels', () => {
  const step = fc.record({ a: fc.constantFrom('x', 'y', ''), b: fc.constantFrom('x', 'y', 'x,y'), value: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const registry = createRegistry();
      const counter = registry.view({}).counter({ name: 'c_total', help: '.', labels: ['a', 'b'] });
      const model = new Map<string, number>();
      for (const { a, b, value } of steps) {
        counter.add(value, { a, b });
        const key = `c_total{a="${a}",b="${b}"}`;
        model.set(key, (model.get(key) ?? 0) + value);
      }
      const expected = [...model].map(([key, value]) => `${key} ${value}`);
      assert.deepEqual(linesOf(registry.exposition()).toSorted(), expected.toSorted());
    }),
  );
});

test('beyond its limit a metric counts in one overflow series, and says so once', () => {
  const full: string[] = [];
  const registry = createRegistry({ maxSeries: 3, onOverflow: (metric) => void full.push(metric) });
  const counter = registry.view({ service: 's' }).counter({ name: 'c_total', help: '.', labels: ['a', 'b'] });
  for (let i = 0; i < 10; i += 1) counter.add(1, { a: String(i), b: 'x' });
  counter.add(1, { a: '0', b: 'x' });
  assert.deepEqual(full, ['c_total']);
  const lines = linesOf(registry.exposition());
  assert.equal(lines.length, 4);
  assert.ok(lines.includes('c_total{service="s",otel_metric_overflow="true"} 7'));
  assert.ok(lines.includes('c_total{service="s",a="0",b="x"} 2'));
});

test('the same name means the same definition', () => {
  const metrics = createRegistry().view({ service: 's' });
  metrics.counter({ name: 'a_total', help: '.', labels: ['x'] });
  const conflicts = [
    () => metrics.gauge({ name: 'a_total', help: '.', labels: ['x'] }),
    () => metrics.counter({ name: 'a_total', help: 'other', labels: ['x'] }),
    () => metrics.counter({ name: 'a_total', help: '.', labels: ['y'] }),
  ];
  for (const conflict of conflicts) assert.throws(conflict, { reason: 'TELEMETRY_METRIC_CONFLICT' });
});

test('names and values that Prometheus would refuse are refused', () => {
  const metrics = createRegistry().view({ service: 's' });
  const refused = [
    () => metrics.gauge({ name: 'a.b', help: '.' }),
    () => metrics.counter({ name: 'a', help: '.' }),
    () => metrics.gauge({ name: 'a', help: '.', labels: ['__x'] }),
    () => metrics.gauge({ name: 'b', help: '.', labels: ['service'] }),
    () => metrics.histogram({ name: 'a', help: '.', labels: ['le'] }),
    () => metrics.histogram({ name: 'a', help: '.', buckets: [1, 1] }),
  ];
  for (const refuse of refused) assert.throws(refuse, { reason: 'TELEMETRY_METRIC_INVALID' });
  const counter = metrics.counter({ name: 'ok_total', help: '.' });
  for (const value of [-1, Number.NaN])
    assert.throws(() => counter.add(value, {}), { reason: 'TELEMETRY_COUNTER_DECREASED' });
});

test('what is read rather than kept is read for each page; a reader that fails does not spoil it', () => {
  const errors: unknown[] = [];
  const registry = createRegistry({ onCollectError: (error) => void errors.push(error) });
  const metrics = registry.view({});
  const gauge = metrics.gauge({ name: 'g', help: '.' });
  let depth = 1;
  metrics.onCollect(() => assert.fail('broken'));
  metrics.onCollect(() => gauge.set(depth, {}));
  assert.deepEqual(linesOf(registry.exposition()), ['g 1']);
  depth = Number.POSITIVE_INFINITY;
  assert.deepEqual(linesOf(registry.exposition()), ['g +Inf']);
  assert.equal(errors.length, 2);
});
