// Customers who go on ordering at the same rate, however long the answers take and whatever happens meanwhile; and how each order fared.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readExposition } from '@souk/app-souk';
import { allMetrics } from './all-metrics.ts';
import type { Buyer, ShopClient } from './shop-client.ts';

/** Times are seconds since the first order. */
export interface SteadyOptions {
  readonly ordersPerSecond: number;
  readonly seconds: number;
  /** What happens meanwhile, the first first. */
  readonly acts: readonly Act[];
  /** Longest wait behind the last order for all to be confirmed; in milliseconds. */
  readonly settleMs: number;
}

export interface Act {
  readonly at: number;
  /** What the time from then on is called in the table. */
  readonly name: string;
  readonly run: () => unknown;
}

export interface OrderTimes {
  readonly id: string;
  readonly sentAt: number;
  /** When it was accepted. */
  readonly acceptedAt: number;
  /** `Infinity`: it was not confirmed while we waited. */
  readonly confirmedAt: number;
}

/** What was seen in one second. */
export interface SecondSeen {
  /** Requests that the shop sent to the payment provider. */
  readonly asked: number;
  /** The breaker in front of the provider at the end of the second: 0 closed or none, 1 half open, 2 open. */
  readonly breaker: number;
}

export interface SteadyRun {
  readonly options: SteadyOptions;
  readonly orders: readonly OrderTimes[];
  /** Answers other than 201. */
  readonly refused: readonly string[];
  readonly seen: readonly SecondSeen[];
}

const BUYERS = 10;
const AT_ONCE = 8;
const POLL_MS = 250;

/** Sends orders of one unit each when they are due, whether or not earlier ones were answered, by ten buyers in turn. */
export async function orderSteadily(client: ShopClient, productId: string, options: SteadyOptions): Promise<SteadyRun> {
  const { ordersPerSecond, seconds } = options;
  const buyers: Buyer[] = [];
  while (buyers.length < BUYERS) buyers.push(await client.buyer());
  const accepted: { id: string; buyer: Buyer; sentAt: number; acceptedAt: number }[] = [];
  const refused: string[] = [];
  const beginMs = performance.now();
  const beganAt = Date.now();
  const now = (): number => (performance.now() - beginMs) / 1000;

  const place = async (n: number): Promise<void> => {
    const buyer = buyers[n % BUYERS] as Buyer;
    const sentAt = now();
    const answer = await client.tryOrder(buyer, [{ productId, quantity: 1 }], { key: randomUUID() });
    if (answer.status === 201) accepted.push({ id: answer.body.id, buyer, sentAt, acceptedAt: now() });
    else refused.push(`${answer.status} ${answer.body.code}`);
  };
  const watching = watch(client, now, seconds);
  const under: Promise<unknown>[] = [watching];
  const acts = [...options.acts];
  for (let at = 0, count = 0; at < seconds; at = now()) {
    while (acts[0] !== undefined && acts[0].at <= at) under.push(Promise.resolve(acts.shift()?.run()));
    for (; count < at * ordersPerSecond; count++) under.push(place(count));
    await sleep(10);
  }
  await Promise.all(under);

  const untilMs = performance.now() + options.settleMs;
  const orders: OrderTimes[] = [];
  const follow = async (): Promise<void> => {
    for (let next = accepted.pop(); next !== undefined; next = accepted.pop()) {
      const { buyer, ...order } = next;
      const atMs = await confirmedMs(client, buyer, order.id, untilMs);
      orders.push({ ...order, confirmedAt: (atMs - beganAt) / 1000 });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, follow));
  orders.sort((one, other) => one.sentAt - other.sentAt);
  return { options, orders, refused, seen: await watching };
}

/** Looks once a second, beside the customers, who wait for nobody. */
async function watch(client: ShopClient, now: () => number, seconds: number): Promise<SecondSeen[]> {
  const isProvider = ({ policy }: Readonly<Record<string, string>>) => policy === 'http:payment-provider';
  const look = async () => {
    const page = readExposition(await allMetrics(client));
    return {
      asked: page.sum('souk_policy_events_total', (labels) => isProvider(labels) && labels.event === 'attempts'),
      breaker: page.sum('souk_breaker_state', isProvider),
    };
  };
  const all: SecondSeen[] = [];
  for (let last = await look(); all.length < seconds; ) {
    await sleep(Math.max(0, (all.length + 1 - now()) * 1000));
    const seen = await look();
    all.push({ asked: seen.asked - last.asked, breaker: seen.breaker });
    last = seen;
  }
  return all;
}

/** When an order was confirmed, in milliseconds since 1970; `Infinity` when it is not by then. */
async function confirmedMs(client: ShopClient, { token }: Buyer, id: string, untilMs: number): Promise<number> {
  for (;;) {
    const { transitions } = await client.ok<{ transitions: readonly { to: string; at: string }[] }>(
      'GET',
      `/api/v1/orders/${id}/history`,
      { token },
    );
    const confirmed = transitions.find(({ to }) => to === 'CONFIRMED');
    if (confirmed !== undefined) return Date.parse(confirmed.at);
    if (performance.now() > untilMs) return Number.POSITIVE_INFINITY;
    await sleep(POLL_MS);
  }
}

/** Seconds, the first included and the last not. */
export type Span = readonly [from: number, to: number];

const isIn = (at: number, [from, to]: Span): boolean => at >= from && at < to;
const sentIn = ({ orders }: SteadyRun, span: Span) => orders.filter(({ sentAt }) => isIn(sentAt, span));

/** Orders confirmed a second in that time, whenever they were sent. */
export const confirmedRate = ({ orders }: SteadyRun, span: Span): number =>
  orders.filter(({ confirmedAt }) => isIn(confirmedAt, span)).length / (span[1] - span[0]);

/** The lowest rate of any few seconds in a row: in one alone it is chance whether nine of ten were confirmed. */
export const lowestRate = (run: SteadyRun, [from, to]: Span, inARow = 5): number =>
  Math.min(
    ...Array.from({ length: to - from - inARow + 1 }, (_, n) => confirmedRate(run, [from + n, from + n + inARow])),
  );

/** Seconds behind `from` after which as many as `rate` are confirmed every second until the end; `Infinity`: that does not happen. */
export function recoveryTime(run: SteadyRun, from: number, rate: number): number {
  const { seconds } = run.options;
  for (let at = from; at <= seconds - 5; at++) if (lowestRate(run, [at, seconds], 2) >= rate) return at - from;
  return Number.POSITIVE_INFINITY;
}

/** Of orders that were sent in that time: the share that was confirmed within so many seconds. */
export function inTime(run: SteadyRun, span: Span, patience: number): number {
  const sent = sentIn(run, span);
  return sent.filter(({ sentAt, confirmedAt }) => confirmedAt - sentAt <= patience).length / sent.length;
}

/** Milliseconds within which that part of the orders that were sent in that time was accepted, or confirmed. */
export function latencyMs(run: SteadyRun, until: 'acceptedAt' | 'confirmedAt', span: Span, quantile: number): number {
  const sorted = sentIn(run, span)
    .map((order) => (order[until] - order.sentAt) * 1000)
    .sort((one, other) => one - other);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN);
}

/** A line for each second. */
export function tellRun(run: SteadyRun, tell: (line: string) => void): void {
  const { acts } = run.options;
  const width = Math.max(...acts.map(({ name }) => name.length));
  const right = (n: number, width: number) => String(n).padStart(width);
  tell(`second ${' '.repeat(width)}  sent confirmed  asked breaker | sent then: accepted, confirmed after ms (median)`);
  for (const [second, { asked, breaker }] of run.seen.entries()) {
    const span: Span = [second, second + 1];
    const name = acts.findLast(({ at }) => at <= second)?.name ?? '';
    const [sent, confirmed] = [sentIn(run, span).length, confirmedRate(run, span)];
    const [accepted, done] = (['acceptedAt', 'confirmedAt'] as const).map((what) => latencyMs(run, what, span, 0.5));
    tell(
      `${right(second, 6)} ${name.padEnd(width)} ${right(sent, 5)} ${right(confirmed, 9)} ${right(asked, 6)} ${right(breaker, 7)} | ${right(accepted as number, 6)} ${right(done as number, 8)}`,
    );
  }
}
