import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelErrors, rootContext, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { createLog, type LogOptions } from './log.ts';

function world(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const runtime = virtualRuntime({ startAt: '2026-01-01T00:00:00Z' });
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ clock: runtime.clock, format: 'json', level: 'debug', destination, ...options });
  const last = () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown>;
  return { lines, runtime, log, last, orders: log.forService('orders') };
}

test('a line has level, time, service, message and fields', () => {
  const { orders, last, lines } = world();
  orders.with({ saga: 'place-order' }).warn('100% of %s', { step: 2 });
  assert.deepEqual(last(), {
    level: 40,
    time: Date.parse('2026-01-01T00:00:00Z'),
    service: 'orders',
    saga: 'place-order',
    step: 2,
    msg: '100% of %s',
  });
  assert.match(lines[0] ?? '', /\n$/);
});

test('the ids are those of the context that logs', () => {
  const { orders, last, runtime } = world();
  const ctx = rootContext({ runtime, log: orders });
  ctx.log.info('here');
  assert.equal(last().trace_id, ctx.trace.traceId);
  assert.equal(last().span_id, ctx.trace.spanId);
  const inner = ctx.with({ trace: { ...ctx.trace, spanId: 'b7ad6b7169203331' } });
  inner.log.with({ a: 1 }).info('there');
  assert.equal(last().span_id, 'b7ad6b7169203331');
  ctx.log.info('here again');
  assert.equal(last().span_id, ctx.trace.spanId);
});

test('lines below the level are not written', () => {
  const { orders, lines } = world({ level: 'warn' });
  orders.debug('a');
  orders.info('b');
  orders.warn('c');
  orders.error('d');
  assert.equal(lines.length, 2);
});

test('an error is written whole, with its causes, and nothing of what libraries hang on', () => {
  const { orders, last } = world();
  const cause = Object.assign(new Error('duplicate key'), { code: '23505', detail: 'Key (email)=(eve@example.org)' });
  orders.error('failed', { err: kernelErrors.INTERNAL({}, { cause }) });
  const err = last().err as {
    type: string;
    code: string;
    reason: string;
    stack: string;
    cause: Record<string, unknown>;
  };
  assert.equal(err.type, 'SoukError');
  assert.equal(err.code, 'internal');
  assert.equal(err.reason, 'SOUK_INTERNAL');
  assert.match(err.stack, /log\.test/);
  assert.equal(err.cause.code, '23505');
  assert.equal(err.cause.message, 'duplicate key');
  assert.doesNotMatch(JSON.stringify(last()), /eve@/);
});

test('what was thrown and is no error is written too', () => {
  const { orders, last } = world();
  orders.error('failed', { err: kernelErrors.INTERNAL({}, { cause: 'just text' }) });
  assert.equal((last().err as { cause: { message: string } }).cause.message, 'just text');
});

test('a field that is called like a part of the line does not overwrite it', () => {
  const { orders, last, lines } = world();
  orders.info('real', { msg: 'false', level: 'x', service: 'y', time: 1, trace_id: 'z' });
  assert.equal(last().msg, 'real');
  assert.equal(last().service, 'orders');
  assert.equal(last().level_, 'x');
  assert.equal(lines[0]?.match(/"level"/g)?.length, 1);
});

test('values that JSON cannot say do not break the line', () => {
  const { orders, last } = world();
  const circle: Record<string, unknown> = {
    big: 5n,
    bytes: new Uint8Array(3),
    map: new Map([['a', 1]]),
    set: new Set([1]),
  };
  circle.self = circle;
  orders.info('odd', { circle, run: () => 1, date: new Date(0), bad: new Date(Number.NaN), nothing: undefined });
  assert.deepEqual(last().circle, { big: '5', bytes: '[3 bytes]', map: { a: 1 }, set: [1], self: '[circular]' });
  assert.equal(last().date, '1970-01-01T00:00:00.000Z');
  const trap = {
    get a(): never {
      throw kernelErrors.INTERNAL();
    },
  };
  orders.info('trap', trap);
  assert.equal(last().unwritable, 'SoukError');
});

test('no value makes a logger throw, and every line is one line of JSON', () => {
  const { orders, lines } = world();
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), fc.string(), (fields, message) => {
      orders.info(message, fields);
      const line = lines.pop() ?? '';
      assert.equal(line.indexOf('\n'), line.length - 1);
      JSON.parse(line);
    }),
    { numRuns: 200 },
  );
});

test('for people: one line of words, the error below', () => {
  const { orders, lines } = world({ format: 'pretty' });
  orders.info('placed', { id: 'ord_1', note: 'two words' });
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d\.000 INFO {2}orders {8}placed id=ord_1 note="two words"\n$/);
  orders.error('failed', { err: kernelErrors.INTERNAL({}, { cause: new Error('why') }) });
  assert.match(
    lines[1] ?? '',
    /failed\n {4}error SOUK_INTERNAL: something .*\n {6}at [\s\S]*\n {4}caused by Error: why\n {6}at /,
  );
  const coloured = world({ format: 'pretty', colour: true });
  coloured.orders.info('x');
  assert.ok(coloured.lines[0]?.includes('\u001b['));
});
