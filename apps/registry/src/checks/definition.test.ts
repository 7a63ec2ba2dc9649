import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldsOf } from '../http/fields.ts';
import { definitionShape, parseCheckDefinition } from './definition.ts';

const rules = { failuresBeforeCritical: 2, successBeforePassing: 1, scripts: false };
const parse = (check: object, scripts = false) =>
  parseCheckDefinition(fieldsOf(check, 'check'), { id: 'c', name: 'n', serviceId: 's' }, { ...rules, scripts });

test('what contradicts itself is refused in the words clients know', () => {
  const refused: Array<[object, string]> = [
    [{ HTTP: 'http://x', Interval: '10s', TTL: '10s' }, 'Invalid check: Interval and TTL cannot both be specified'],
    [{ HTTP: 'http://x' }, 'Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks'],
    [{ TCP: 'x:1' }, 'Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks'],
    [{ Name: 'x' }, 'Invalid check: TTL must be > 0 for TTL checks'],
    [{ TTL: '10s', Status: 'fine' }, "Status for checks must 'passing', 'warning', 'critical'"],
    [{ HTTP: 'ftp://x', Interval: '10s' }, 'Invalid check: HTTP is no http or https URL'],
    [{ TCP: 'nowhere', Interval: '10s' }, 'Invalid check: TCP: want host:port'],
    [{ UDP: 'x:1', Interval: '10s' }, 'Invalid check: UDP checks are not supported: use HTTP, TCP, GRPC or TTL'],
    [
      { Args: ['true'], Interval: '10s' },
      'Invalid check: Scripts are disabled on this agent; to enable, configure enable_script_checks to true',
    ],
  ];
  for (const [check, message] of refused) assert.throws(() => parse(check), { message }, JSON.stringify(check));
});

test('fields are found in any spelling, durations as text or in nanoseconds', () => {
  const { intervalMs, timeoutMs, deregisterAfterMs } = parse({
    ...{ http: 'http://x/', interval: 2_000_000_000, timeout: '1m30s', deregister_critical_service_after: '2h' },
  });
  assert.deepEqual([intervalMs, timeoutMs, deregisterAfterMs], [2000, 90_000, 7_200_000]);
});

test('too short an interval or time to removal is raised, and a check starts critical', () => {
  const check = parse({ TCP: '[::1]:80', Interval: '10ms', DeregisterCriticalServiceAfter: '1s' });
  assert.deepEqual([check.intervalMs, check.deregisterAfterMs, check.status], [1000, 60_000, 'critical']);
});

test('scripts are taken where they are allowed', () => {
  assert.deepEqual(parse({ Args: ['a', 'b'], Interval: '1s' }, true).target, { kind: 'script', args: ['a', 'b'] });
});

test('what is shown of a check holds no headers and no body', () => {
  const check = parse({ HTTP: 'http://x', Interval: '1s', Header: { Authorization: ['Bearer abc'] }, Body: 'abc' });
  assert.deepEqual(check.target?.kind === 'http' && check.target.headers, { Authorization: ['Bearer abc'] });
  assert.doesNotMatch(JSON.stringify(definitionShape(check)), /abc/);
});
