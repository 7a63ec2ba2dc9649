import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader, writeFrame } from './frame.ts';

async function* pieces(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0;
  for (let index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

test('frames come out as they went in, wherever the bytes are cut', async () => {
  const frames = fc.array(
    fc.record({ flags: fc.integer({ min: 0, max: 255 }), data: fc.uint8Array({ maxLength: 300 }) }),
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(frames, sizes, async (sent, cuts) => {
      const bytes = Buffer.concat(sent.map(({ flags, data }) => writeFrame(flags, data)));
      const read = await Array.fromAsync(new FrameReader(pieces(bytes, cuts), 300));
      assert.deepEqual(
        read.map(({ flags, data }) => ({ flags, data: [...data] })),
        sent.map(({ flags, data }) => ({ flags, data: [...data] })),
      );
    }),
    { numRuns: 300 },
  );
});

test('any bytes are frames, or an error of ours', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 9 }), async (bytes, cut) => {
      await Array.fromAsync(new FrameReader(pieces(bytes, [cut]), 20)).catch((error: { reason?: string }) => {
        assert.match(String(error.reason), /^(RPC_BODY_TOO_LARGE|GRPC_MALFORMED_FRAME)$/);
      });
    }),
    { numRuns: 300 },
  );
});

test('a frame over the limit is refused by its head, before its data comes', async () => {
  const head = writeFrame(0, new Uint8Array(1000)).subarray(0, 5);
  await assert.rejects(new FrameReader(pieces(head, [1]), 999).next(), { reason: 'RPC_BODY_TOO_LARGE' });
});

test('a large frame in single bytes is joined once', async () => {
  const bytes = writeFrame(0, new Uint8Array(30_000));
  const [frame] = await Array.fromAsync(new FrameReader(pieces(bytes, [1]), 30_000));
  assert.equal(frame?.data.length, 30_000);
});
