import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, type SoukError } from '@souk/kernel';
import fc from 'fast-check';
import { encodeFrames, FRAME_KINDS, type Frame, FrameReader, signal } from './frame.ts';

const LONGEST = 1000;

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const frame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.integer({ min: FRAME_KINDS.call, max: FRAME_KINDS.pong }),
  id: u32,
  number: u32,
  text: fc.string({ unit: 'grapheme', maxLength: 40 }),
  body: fc.uint8Array({ maxLength: 400 }),
});

function collect() {
  const frames: Frame[] = [];
  const tooLong: number[] = [];
  const reader = new FrameReader(LONGEST, {
    // What was read is somebody else's by the next time.
    onFrame: (one) => frames.push({ ...one, body: new Uint8Array(one.body) }),
    onTooLong: (_kind, id) => tooLong.push(id),
  });
  return { frames, tooLong, reader };
}

/** Cuts bytes at the given places. */
function* pieces(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((one, other) => one - other);
  let at = 0;
  for (const place of [...places, bytes.length]) {
    yield bytes.subarray(at, place);
    at = place;
  }
}

test('frames arrive as they were sent, whatever the pieces', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (sent, cuts) => {
      const { frames, tooLong, reader } = collect();
      for (const piece of pieces(encodeFrames(sent), cuts)) reader.push(piece);
      assert.deepEqual(
        frames,
        sent.map((one) => ({ ...one })),
      );
      assert.deepEqual(tooLong, []);
    }),
  );
});

test('a frame that is too long is passed over, and those around it are read', () => {
  fc.assert(
    fc.property(
      frame,
      frame,
      u32,
      fc.integer({ min: 1, max: 5000 }),
      fc.array(fc.nat()),
      (one, other, id, more, cuts) => {
        const long = { ...signal(FRAME_KINDS.answer, id), body: new Uint8Array(LONGEST + more) };
        const { frames, tooLong, reader } = collect();
        for (const piece of pieces(encodeFrames([one, long, other]), cuts)) reader.push(piece);
        assert.deepEqual(frames, [{ ...one }, { ...other }]);
        assert.deepEqual(tooLong, [id]);
      },
    ),
  );
});

test('no bytes whatever are read as more than they are: frames within the limit, or a refusal', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }), (chunks) => {
      const { frames, reader } = collect();
      try {
        for (const chunk of chunks) reader.push(Buffer.from(chunk));
      } catch (error) {
        assert.ok(hasReason(error as SoukError, 'RPC_BAD_FRAME'), String(error));
      }
      for (const { text, body } of frames) assert.ok(Buffer.byteLength(text) + body.length <= 3 * LONGEST);
    }),
    { numRuns: 500 },
  );
});
