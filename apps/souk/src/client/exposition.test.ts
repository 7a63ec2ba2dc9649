import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRegistry } from '@souk/telemetry';
import { readExposition } from './exposition.ts';

const PAGE = `# HELP requests Requests.
# TYPE requests counter
requests_total{service="orders",status="200"} 5
requests_total{service="orders",status="503"} 2
requests_total{service="a \\"b\\", {c}",status="500"} 1 1700000000
up 1
start_seconds 1.7e+09
requests_total_bucket{le="+Inf"} 9
`;

test('sums are over the series of one metric', () => {
  const page = readExposition(PAGE);
  assert.equal(page.sum('requests_total'), 8);
  assert.equal(
    page.sum('requests_total', ({ status = '' }) => status.startsWith('5')),
    3,
  );
  assert.deepEqual([page.sum('up'), page.sum('start_seconds'), page.sum('none')], [1, 1.7e9, 0]);
});

test('sums by a label have an entry for each of its values', () => {
  assert.deepEqual(readExposition(PAGE).by('requests_total', 'status'), { 200: 5, 503: 2, 500: 1 });
  assert.deepEqual(readExposition(PAGE).by('up', 'status'), { '': 1 });
  assert.deepEqual(readExposition('').by('up', 'status'), {});
});

test('what our own registry writes is read back', () => {
  const registry = createRegistry();
  const counter = registry.view({ service: 'orders' }).counter({ name: 'events_total', help: 'x', labels: ['event'] });
  counter.add(2, { event: 'placed' });
  counter.add(1, { event: 'odd "one"\n' });
  const page = readExposition(registry.exposition());
  assert.equal(page.sum('events_total'), 3);
  assert.equal(page.by('events_total', 'event').placed, 2);
});
