// Appends events to a number of streams: so many, or at a rate until a moment.

import { performance } from 'node:perf_hooks';
import { open } from './common.ts';

interface WriteOrder {
  readonly url: string;
  readonly streams: number;
  /** 0: until `stopAtMs`. */
  readonly events: number;
  readonly perSecond: number;
  readonly stopAtMs: number;
}

const order = JSON.parse(process.argv[2] as string) as WriteOrder;
const keepAlive = setInterval(() => {}, 1000);
const { db, ctx, store } = await open(order.url);
/** As a busy service has them: several events to an append, many appends at once. */
const PER_APPEND = order.events > 0 ? 50 : 5;
const WORKERS = 32;

let written = 0;
let begun = 0;
const beganMs = performance.now();
const isDone = (): boolean => (order.events > 0 ? begun >= order.events : Date.now() >= order.stopAtMs);
const append = async (): Promise<void> => {
  const stream = `sum-${Math.floor(begun / PER_APPEND) % order.streams}`;
  begun += PER_APPEND;
  const atMs = performance.timeOrigin + performance.now();
  const events = Array.from({ length: PER_APPEND }, (_, n) => ({ type: 'Added', data: { amount: n + 1, atMs } }));
  await store.appendAlone(db, ctx, { stream, expected: 'any', events });
  written += PER_APPEND;
};
const worker = async (): Promise<void> => {
  while (!isDone()) {
    const aheadMs = order.perSecond > 0 ? (begun * 1000) / order.perSecond - (performance.now() - beganMs) : 0;
    if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    else await append();
  }
};
await Promise.all(Array.from({ length: WORKERS }, worker));
clearInterval(keepAlive);
const perSecond = (written * 1000) / (performance.now() - beganMs);
process.stdout.write(`${JSON.stringify({ written, perSecond, violations: [] })}\n`, () => process.exit(0));
