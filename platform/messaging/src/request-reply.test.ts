import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, isSoukError, rootContext, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { answer, createReplies, decodeReply, decodeRequest, encodeRequest } from './request-reply.ts';

const bytes = fc.uint8Array({ maxLength: 200 });

test('what is encoded is decoded, whatever its bytes', () => {
  const runtime = virtualRuntime();
  fc.assert(
    fc.property(
      bytes,
      fc.option(fc.string(), { nil: undefined }),
      fc.integer({ min: 1, max: 1e6 }),
      (body, key, ms) => {
        using ctx = rootContext({ runtime, timeoutMs: ms, idempotencyKey: key, caller: { userId: 'u', roles: ['r'] } });
        const decoded = decodeRequest(runtime, encodeRequest(runtime, ctx, body));
        using heard = decoded.ctx;
        assert.deepEqual([...decoded.body], [...body]);
        assert.deepEqual([heard.idempotencyKey, heard.caller.userId, heard.remainingMs()], [key, 'u', ms]);
        assert.equal(heard.trace.traceId, ctx.trace.traceId);
      },
    ),
  );
});

test('bytes from elsewhere are refused by our own error, and never anything worse', () => {
  const runtime = virtualRuntime();
  fc.assert(
    fc.property(bytes, (raw) => {
      for (const decode of [() => decodeRequest(runtime, raw).ctx[Symbol.dispose](), () => decodeReply(raw)]) {
        try {
          decode();
        } catch (error) {
          assert.ok(isSoukError(error), String(error));
        }
      }
    }),
    { examples: [[Buffer.from('null\n')], [Buffer.from('1')], [Buffer.from('{}\n')], [Buffer.from('{"ok":false}')]] },
  );
});

test('a request whose time was over before it was read is not worked on', async () => {
  const runtime = virtualRuntime();
  using ctx = rootContext({ runtime, timeoutMs: 50 });
  const request = encodeRequest(runtime, ctx, new Uint8Array());
  await runtime.advance(50);
  assert.equal(await answer(runtime, request, async () => assert.fail('must not run')), undefined);
});

test('no more than a thousand wait, and each leaves nothing behind', async () => {
  const runtime = virtualRuntime();
  const replies = createReplies(runtime);
  using ctx = rootContext({ runtime, timeoutMs: 100 });
  const open = Array.from({ length: 1000 }, () => replies.open(ctx));
  const ended = Promise.allSettled(open.map(({ reply }) => reply));
  assert.throws(
    () => replies.open(ctx),
    (error) => hasReason(error, 'MESSAGING_TOO_MANY_REQUESTS'),
  );
  await runtime.advance(100);
  assert.ok((await ended).every((one) => one.status === 'rejected' && hasReason(one.reason, 'SOUK_DEADLINE_EXCEEDED')));
  assert.equal(runtime.pendingTimers, 0);
  replies.settle(open[0]!.id, new Uint8Array());
  assert.equal(replies.late, 1);
});
