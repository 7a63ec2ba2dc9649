import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import { parseBalancing } from './parse-balancing.ts';
import { stickyKey } from './sticky-key.ts';

test('nothing is a whole answer: the defaults', () => {
  const settings = parseBalancing({});
  assert.deepEqual(parseBalancing(undefined), settings);
  assert.equal(settings.algorithm, 'leastRequest');
  assert.equal(settings.boundedLoad.factor, 1.25);
  assert.equal(settings.panicPercent, 50);
  assert.deepEqual(settings.slowStart, { windowMs: 30_000, minShare: 0.1, aggression: 1 });
  assert.equal(settings.outlier.ejectionMs, 30_000);
  assert.equal(settings.outlier.maxEjectedPercent, 10);
  assert.equal(settings.outlier.successRate.stdevFactor, 1.9);
  assert.equal(settings.outlier.failurePercentage.enabled, false);
});

test('what is parsed is frozen, to the last field, and parses to itself', () => {
  const settings = parseBalancing({
    split: { canaries: [{ version: '2', percent: 5 }] },
    subset: { metadata: { a: 'b' } },
  });
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  assert.ok(frozen(settings));
  assert.deepEqual(parseBalancing(settings), settings);
});

test('what is wrong is named, with what is allowed', () => {
  const refused: readonly (readonly [unknown, string])[] = [
    [
      { algorithm: 'best' },
      'algorithm: want one of leastRequest, peakEwma, roundRobin, smoothWeighted, random, rendezvous, ringHash, maglev, got "best"',
    ],
    [{ boundedLoad: { factor: 1 } }, 'boundedLoad.factor: want a number above 1 and of at most 100, or 0, got 1'],
    [{ slowStart: { windowMs: 1.5 } }, 'slowStart.windowMs: want a whole number of at least 0, got 1.5'],
    [{ panicPercent: '50' }, 'panicPercent: want a number of at least 0 and of at most 100, got "50"'],
    [{ outlier: { enabled: 1 } }, 'outlier.enabled: want true or false, got 1'],
    [
      { outlier: { ejectionMs: 10, maxEjectionMs: 5 } },
      'outlier.maxEjectionMs: want at least ejectionMs, which is 10, got 5',
    ],
    [{ maglev: { tableSize: 10_000 } }, 'maglev.tableSize: want a prime, like 65537, got 10000'],
    [{ key: { from: 'cookie' } }, 'key.name: want the name of the cookie to stick by, got ""'],
    [
      {
        split: {
          canaries: [
            { version: '2', percent: 60 },
            { version: '3', percent: 41 },
          ],
        },
      },
      'split.canaries: want percentages that are 100 together at most, got 101',
    ],
    [
      { split: { stable: '2', canaries: [{ version: '2', percent: 5 }] } },
      'split.canaries[0].version: want a version that is named once, got "2"',
    ],
    [
      { split: { canaries: [{ percent: 5 }] } },
      'split.canaries[0].version: want a text that is not empty, got nothing',
    ],
    [{ subset: { metadata: { a: 1 } } }, 'subset.metadata.a: want a text, got 1'],
    [[], 'balancing: want an object with algorithm, key, leastRequest'],
    [{ weights: {} }, 'weights: want a setting that exists (algorithm, key, leastRequest'],
    [
      { zone: { preferr: true } },
      'zone.preferr: want a setting that exists (prefer, minInstances), got one that does not',
    ],
  ];
  for (const [input, text] of refused)
    assert.throws(
      () => parseBalancing(input),
      (error) => isSoukError(error) && error.reason === 'DISCOVERY_INVALID_OPTION' && error.message.startsWith(text),
      text,
    );
});

test('whatever comes, it is settings or a refusal', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.anything(), fc.record({ algorithm: fc.anything(), outlier: fc.anything(), split: fc.anything() })),
      (input) => {
        try {
          assert.ok(Object.isFrozen(parseBalancing(input)));
        } catch (error) {
          assert.ok(isSoukError(error) && error.reason === 'DISCOVERY_INVALID_OPTION', String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a key comes from who calls, from where, or from a header or cookie, and may be missing', () => {
  const headers: Record<string, string> = { 'x-tenant': 'acme', cookie: 'a=1; session=s=7 ; b=' };
  const call = { subject: 'usr_1', address: '10.0.0.9', header: (name: string) => headers[name] };
  const key = (input: object, from: object = call) => stickyKey(parseBalancing({ key: input }).key, from);
  assert.equal(key({}), 'usr_1');
  assert.equal(key({ from: 'none' }), undefined);
  assert.equal(key({ from: 'address' }), '10.0.0.9');
  assert.equal(key({ from: 'header', name: 'X-Tenant' }), 'acme');
  assert.equal(key({ from: 'cookie', name: 'session' }), 's=7');
  assert.equal(key({ from: 'cookie', name: 'b' }), undefined);
  assert.equal(key({ from: 'cookie', name: 'c' }), undefined);
  for (const from of ['subject', 'address']) assert.equal(key({ from }, {}), undefined);
  assert.equal(key({ from: 'header', name: 'x' }, {}), undefined);
});
