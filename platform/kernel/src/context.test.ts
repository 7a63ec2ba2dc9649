import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ANONYMOUS, rootContext } from './context.ts';
import { kernelErrors } from './error-catalogue.ts';
import type { Logger } from './logger.ts';
import { newTrace, type TraceContext } from './trace-context.ts';
import { virtualRuntime } from './virtual-runtime.ts';

const reasonOf = (signal: AbortSignal): unknown => (signal.reason as { reason?: string } | undefined)?.reason;

test('a deadline only shrinks on the way down', () => {
  const timeouts = fc.array(fc.option(fc.double({ min: -10, max: 1e6 }), { nil: undefined }), {
    maxLength: 8,
    size: 'max',
  });
  fc.assert(
    fc.property(timeouts, (list) => {
      const runtime = virtualRuntime();
      let ctx = rootContext({ runtime });
      for (const timeoutMs of list) {
        const child = ctx.with({ timeoutMs });
        assert.ok(child.deadlineMs <= ctx.deadlineMs);
        assert.ok(child.remainingMs() >= 0);
        ctx = child;
      }
    }),
  );
});

test('a context ends at its deadline, and its children with it', async () => {
  const runtime = virtualRuntime();
  const parent = rootContext({ runtime, timeoutMs: 100 });
  const child = parent.with({ timeoutMs: 5000 });
  assert.equal(child.remainingMs(), 100);
  const { signal } = child;
  await runtime.advance(99);
  assert.equal(signal.aborted, false);
  child.throwIfDone();
  await runtime.advance(1);
  assert.equal(reasonOf(signal), 'SOUK_DEADLINE_EXCEEDED');
  assert.throws(() => child.throwIfDone(), { reason: 'SOUK_DEADLINE_EXCEEDED' });
});

test('a timeout of zero, less, or not a number is over at once', () => {
  for (const timeoutMs of [0, -5, Number.NaN]) {
    const ctx = rootContext({ runtime: virtualRuntime(), timeoutMs });
    assert.equal(ctx.signal.aborted, true, String(timeoutMs));
    assert.throws(() => ctx.throwIfDone(), { reason: 'SOUK_DEADLINE_EXCEEDED' });
  }
});

test('a child with a shorter deadline leaves its parent alone', async () => {
  const runtime = virtualRuntime();
  const parent = rootContext({ runtime, timeoutMs: 100 });
  const child = parent.with({ timeoutMs: 10 });
  void child.signal;
  await runtime.advance(10);
  assert.equal(child.signal.aborted, true);
  assert.equal(parent.signal.aborted, false);
  parent.throwIfDone();
});

test('a signal from outside cancels, with its reason as the cause', () => {
  const control = new AbortController();
  const ctx = rootContext({ runtime: virtualRuntime(), signal: control.signal });
  const child = ctx.with({ timeoutMs: 50 });
  void child.signal;
  control.abort('socket closed');
  assert.equal(reasonOf(child.signal), 'SOUK_CANCELED');
  assert.throws(() => child.throwIfDone(), { reason: 'SOUK_CANCELED', cause: 'socket closed' });
});

test('what ended the call first is what is said, also after the deadline', async () => {
  const runtime = virtualRuntime();
  const control = new AbortController();
  const ctx = rootContext({ runtime, signal: control.signal, timeoutMs: 10 });
  control.abort();
  await runtime.advance(20);
  assert.throws(() => ctx.throwIfDone(), { reason: 'SOUK_CANCELED' });
});

test('our own error as a reason is kept, and a time-out of a signal is a deadline', () => {
  const runtime = virtualRuntime();
  const ours = kernelErrors.NOT_STARTED({ part: 'bus' });
  assert.equal(rootContext({ runtime, signal: AbortSignal.abort(ours) }).signal.reason, ours);
  const late = AbortSignal.abort(new DOMException('late', 'TimeoutError'));
  assert.equal(reasonOf(rootContext({ runtime, signal: late }).signal), 'SOUK_DEADLINE_EXCEEDED');
});

test('a disposed context keeps no timer, also when its signal is read afterwards', () => {
  const runtime = virtualRuntime();
  const ctx = rootContext({ runtime, timeoutMs: 1000 });
  void ctx.signal;
  assert.equal(runtime.pendingTimers, 1);
  ctx[Symbol.dispose]();
  assert.equal(runtime.pendingTimers, 0);
  const other = rootContext({ runtime, timeoutMs: 1000 });
  other[Symbol.dispose]();
  void other.signal;
  assert.equal(runtime.pendingTimers, 0);
});

test('a context that ended by its parent keeps no timer', async () => {
  const runtime = virtualRuntime();
  const control = new AbortController();
  const child = rootContext({ runtime, signal: control.signal, timeoutMs: 500 }).with({ timeoutMs: 100 });
  void child.signal;
  control.abort();
  child[Symbol.dispose]();
  await runtime.advance(1000);
  assert.equal(runtime.pendingTimers, 0);
});

test('the deadline of a parent needs one timer, however many children listen', () => {
  const runtime = virtualRuntime();
  const parent = rootContext({ runtime, timeoutMs: 1000 });
  for (let i = 0; i < 5; i += 1) void parent.with({ signal: new AbortController().signal }).signal;
  assert.equal(runtime.pendingTimers, 1);
});

test('a disposed child no longer listens to the signal it was given', () => {
  const runtime = virtualRuntime();
  const control = new AbortController();
  const child = rootContext({ runtime }).with({ signal: control.signal });
  const { signal } = child;
  child[Symbol.dispose]();
  control.abort();
  assert.equal(signal.aborted, false);
});

test('a child inherits what it does not change', () => {
  const runtime = virtualRuntime();
  const caller = { userId: 'usr_1', roles: ['admin'] };
  const parent = rootContext({ runtime, caller, idempotencyKey: 'k1' });
  const child = parent.with({});
  assert.equal(child.caller, caller);
  assert.equal(child.trace, parent.trace);
  assert.equal(child.idempotencyKey, 'k1');
  assert.equal(parent.with({ idempotencyKey: null }).idempotencyKey, undefined);
  assert.equal(parent.with({ idempotencyKey: 'k2' }).idempotencyKey, 'k2');
  assert.equal(rootContext({ runtime }).caller, ANONYMOUS);
});

test('the log of a context carries its trace, whoever changed the trace', () => {
  const runtime = virtualRuntime();
  const lines: string[] = [];
  const logger = (trace?: TraceContext): Logger => ({
    debug: () => {},
    info: (message) => void lines.push(`${message} ${trace?.spanId}`),
    warn: () => {},
    error: () => {},
    with: () => logger(trace),
    forTrace: (next) => logger(next),
  });
  const root = rootContext({ runtime, log: logger() });
  const span = { ...newTrace(runtime, true), spanId: 'aaaaaaaaaaaaaaaa' };
  const inner = root.with({ trace: span });
  const named = inner.with({ log: inner.log.with({ orderId: 'ord_1' }) });
  root.log.info('root');
  inner.log.info('inner');
  named.log.info('named');
  named.with({ trace: root.trace }).log.info('back');
  assert.deepEqual(lines, [
    `root ${root.trace.spanId}`,
    'inner aaaaaaaaaaaaaaaa',
    'named aaaaaaaaaaaaaaaa',
    `back ${root.trace.spanId}`,
  ]);
});

test('cancellation is the signal of whoever can give up, and no timer stands behind it', () => {
  const runtime = virtualRuntime();
  const gone = new AbortController();
  const parent = rootContext({ runtime, timeoutMs: 100, signal: gone.signal });
  assert.equal(parent.with({ timeoutMs: 10 }).cancellation, gone.signal);
  assert.equal(rootContext({ runtime, timeoutMs: 100 }).cancellation, undefined);
  assert.equal(runtime.pendingTimers, 0);
  const other = new AbortController();
  const child = parent.with({ signal: other.signal });
  const { cancellation } = child;
  gone.abort();
  assert.equal(cancellation?.aborted, true);
  assert.throws(() => child.throwIfDone(), { reason: 'SOUK_CANCELED' });
});

test('what a caller wishes of the choice of instances goes along', () => {
  const routing = { version: '2.0.0', affinity: 'anna' };
  const ctx = rootContext({ runtime: virtualRuntime(), routing });
  assert.equal(ctx.with({ timeoutMs: 5 }).routing, routing);
  assert.equal(ctx.with({ routing: { version: '1.0.0' } }).routing?.version, '1.0.0');
});
