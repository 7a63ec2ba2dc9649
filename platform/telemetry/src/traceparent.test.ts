import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map((all) => all.join(''))
    .filter((id) => !/^0+$/.test(id));
const trace = fc.record({ traceId: hex(32), spanId: hex(16), sampled: fc.boolean() }, { noNullPrototype: true });
const T = '4bf92f3577b34da6a3ce929d0e0e4736';
const S = '00f067aa0ba902b7';

test('what is formatted is parsed as the same trace', () => {
  fc.assert(fc.property(trace, (one) => assert.deepEqual(parseTraceparent(formatTraceparent(one)), one)));
});

test('no header makes the parser throw', () => {
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => void parseTraceparent(a, b)));
});

test('only the sampled bit of the flags counts', () => {
  assert.equal(parseTraceparent(`00-${T}-${S}-03`)?.sampled, true);
  assert.equal(parseTraceparent(`00-${T}-${S}-fe`)?.sampled, false);
});

test('malformed headers are no trace', () => {
  const zeros = '0'.repeat(32);
  const bad = ['', `00-${T}-${S}`, `ff-${T}-${S}-01`, `00-${T}-${S}-01-x`, `00-${T.toUpperCase()}-${S}-01`];
  bad.push(
    `00-${zeros}-${S}-01`,
    `00-${T}-${zeros.slice(16)}-01`,
    ` 00-${T}-${S}-01`,
    `00-${T}-${S}-1`,
    `00_${T}_${S}_01`,
  );
  for (const header of bad) assert.equal(parseTraceparent(header), undefined, header);
  assert.equal(parseTraceparent(undefined), undefined);
});

test('a later version may append fields', () => {
  assert.deepEqual(parseTraceparent(`01-${T}-${S}-01-more`), { traceId: T, spanId: S, sampled: true });
});

test('a usable tracestate goes along, another is dropped', () => {
  const header = `00-${T}-${S}-01`;
  assert.equal(parseTraceparent(header, 'a=1,b=2')?.tracestate, 'a=1,b=2');
  for (const bad of ['', '  ', 'a=\n,b=2', 'x'.repeat(513)])
    assert.equal(parseTraceparent(header, bad)?.tracestate, undefined);
});
