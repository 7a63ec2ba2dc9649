import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import { createAdviceFollower } from './advice-follower.ts';
import { resolveBreakerSharing } from './advice-options.ts';
import type { Verdict } from './breaker-advice.ts';

const settings = resolveBreakerSharing();
const verdict = (isOpen: boolean, untilMs = 0): Verdict => ({
  ...{ live: 5, quorum: 3, open: isOpen ? 3 : 0, isOpen, untilMs, suspects: [] },
});
const followers = (count: number) =>
  Array.from({ length: count }, (_, seed) => createAdviceFollower(settings, seededRandom(seed + 1)));

test('F1 advice ends by itself, whatever is not said afterwards', () => {
  for (const follower of followers(50)) {
    follower.update(verdict(true, 6_000), 0);
    for (let ms = 0; ms < 10_000; ms += 100) {
      const untilMs = follower.update(verdict(true, 6_000), ms);
      if (untilMs !== undefined) assert.ok(untilMs <= Math.min(7_200, ms + settings.everyMs), String(untilMs));
      if (ms >= 7_200) assert.equal(follower.isFollowing(ms), false);
    }
  }
});

test('F1 it ends at once when nobody advises any more', () => {
  const [follower] = followers(1);
  follower?.update(verdict(true, 6_000), 0);
  follower?.update(verdict(true, 6_400), 400);
  assert.equal(follower?.isFollowing(400), true);
  assert.equal(follower?.update(verdict(false), 500), undefined);
  assert.equal(follower?.isFollowing(500), false);
});

test('F2 five successes begun under the advice outweigh it for a lifetime', () => {
  for (const follower of followers(20)) {
    follower.update(verdict(true, 6_000), 0);
    follower.update(verdict(true, 6_400), 400);
    for (let n = 0; n < 10; n++) follower.noteSuccess(399, 450);
    assert.equal(follower.isFollowing(450), true, 'calls of before do not count');
    for (let n = 0; n < 4; n++) follower.noteSuccess(450, 500);
    assert.equal(follower.isFollowing(500), true);
    follower.noteSuccess(450, 500);
    assert.equal(follower.isFollowing(500), false);
    for (let ms = 500; ms < 5_300; ms += 100) assert.equal(follower.update(verdict(true, 20_000), ms), undefined);
    follower.update(verdict(true, 20_000), 500 + 7_200);
    assert.notEqual(follower.update(verdict(true, 20_000), 500 + 7_600), undefined);
  }
});

test('F3 instances do not begin and end together', () => {
  const begins = new Set<number>();
  const ends = new Set<number>();
  for (const follower of followers(30)) {
    follower.update(verdict(true, 6_000), 0);
    for (let ms = 0; ms < 7_300; ms += 10) {
      const was = follower.isFollowing(ms);
      follower.update(verdict(true, 6_000), ms);
      if (!was && follower.isFollowing(ms)) begins.add(ms);
    }
    for (let ms = 400; ms < 7_300; ms += 10)
      if (follower.isFollowing(ms) && !follower.isFollowing(ms + 10)) ends.add(ms);
  }
  assert.ok(begins.size > 10 && Math.max(...begins) <= 400, [...begins].join());
  assert.ok(ends.size > 10 && Math.min(...ends) < 5_700 && Math.max(...ends) > 6_300, [...ends].join());
});
