import { seededRandom } from '@souk/kernel';
import { createGate, type Waiter } from '../src/gate.ts';
import { type QueueOrder, resolveGate } from '../src/gate-options.ts';
import { createRetryBudget } from '../src/retry-budget.ts';
import { createThrottle, resolveThrottle } from '../src/throttle.ts';
import { Simulation } from './simulation.ts';

/*
 * A service that works off what comes in order, one at a time, and callers that give up after a second and try again. For a while it does
 * a fifth of what it can. The question is what happens after that: work whose caller has gone keeps it as busy as real work, and whoever
 * was not answered asks again.
 */

export interface Defences {
  /** What nobody waits for any more is not begun; `in_time`: nor what cannot be done while somebody does. */
  readonly deadlineCheck: 'expired' | 'in_time' | undefined;
  /** Calls that may wait. */
  readonly queueLimit: number;
  readonly order: QueueOrder;
  readonly maxAttempts: number;
  /** Retries per request; undefined: no budget. */
  readonly retryRatio: number | undefined;
  /** What callers count as refused: what said so, as policies do, or every call that got no answer too. */
  readonly throttle: 'refusals' | 'silence' | undefined;
}

export const NO_DEFENCES: Defences = {
  deadlineCheck: undefined,
  queueLimit: Number.MAX_SAFE_INTEGER,
  order: 'fifo',
  maxAttempts: 3,
  retryRatio: undefined,
  throttle: undefined,
};

/** What policies do if nothing else is said. */
export const ALL_DEFENCES: Defences = {
  ...NO_DEFENCES,
  deadlineCheck: 'expired',
  queueLimit: 50,
  retryRatio: 0.1,
  throttle: 'refusals',
};

export interface Aftermath {
  /** Requests answered per second in the 30 seconds before the trouble, and in those after it. */
  readonly goodputBefore: number;
  readonly goodputAfter: number;
  /** Seconds after the trouble until in five seconds on end 95 % of what came is answered; undefined: not within two minutes. */
  readonly recoveredAfterSec: number | undefined;
  /** Attempts sent per request, in the last 30 seconds. */
  readonly attemptsPerRequest: number;
  /** Calls that wait at the end. */
  readonly queued: number;
}

/** Five minutes at most are looked at. */
export interface Trouble {
  /** Requests per second. @default 80 */
  readonly offered?: number;
  /** @default 10 */
  readonly seconds?: number;
  /** What is left of the capacity. @default 0.2 */
  readonly left?: number;
}

const SERVICE_MS = 10;
const PATIENCE_MS = 1000;
const WARM_SEC = 60;
const AFTER_SEC = 120;

export function metastable(defences: Defences, trouble: Trouble = {}): Aftermath {
  const { offered = 80, seconds = 10, left = 0.2 } = trouble;
  const endSec = WARM_SEC + seconds;
  const lastSec = endSec + AFTER_SEC;
  const patienceMs =
    defences.deadlineCheck === undefined
      ? Number.POSITIVE_INFINITY
      : PATIENCE_MS - (defences.deadlineCheck === 'in_time' ? SERVICE_MS : 0);
  const simulation = new Simulation();
  const random = seededRandom(1);
  const gate = createGate(resolveGate({ limit: 1, queueLimit: defences.queueLimit, order: defences.order }));
  const budget =
    defences.retryRatio === undefined ? undefined : createRetryBudget({ ratio: defences.retryRatio, minPerSec: 0 });
  const throttle = defences.throttle && createThrottle(resolveThrottle(), random);
  const answered = new Uint32Array(lastSec + 2);
  const requests = new Uint32Array(lastSec + 2);
  const attempts = new Uint32Array(lastSec + 2);
  const second = (): number => Math.floor(simulation.nowMs / 1000);

  class Try implements Waiter {
    gateNext: Waiter | undefined = undefined;
    gatePrevious: Waiter | undefined = undefined;
    readonly priority = 2;
    readonly enqueuedMs = simulation.nowMs;
    readonly deadlineMs = simulation.nowMs + patienceMs;
    readonly #number: number;
    #isOver = false;

    constructor(number: number) {
      this.#number = number;
    }

    send(): void {
      const { nowMs } = simulation;
      if (throttle?.shouldReject(nowMs)) return;
      attempts[second()]!++;
      simulation.after(PATIENCE_MS, () => this.#failed('silence'));
      if (gate.tryEnter(this.priority, nowMs)) this.admit();
      else if (gate.enqueue(this, nowMs) !== undefined) this.#failed('refused');
    }

    admit(): void {
      const isInTrouble = simulation.nowMs >= WARM_SEC * 1000 && simulation.nowMs < endSec * 1000;
      simulation.after(isInTrouble ? SERVICE_MS / left : SERVICE_MS, () => {
        if (!this.#isOver) {
          this.#isOver = true;
          answered[second()]!++;
          throttle?.onAnswer(true, simulation.nowMs);
        }
        gate.release(simulation.nowMs);
      });
    }

    refuse(): void {
      this.#failed('refused');
    }

    #failed(why: 'refused' | 'silence'): void {
      if (this.#isOver) return;
      this.#isOver = true;
      const { nowMs } = simulation;
      throttle?.onAnswer(why === 'silence' && defences.throttle === 'refusals', nowMs);
      if (this.#number >= defences.maxAttempts || budget?.tryTake(nowMs) === false) return;
      const delayMs = random.next() * 50 * 2 ** (this.#number - 1);
      simulation.after(delayMs, () => new Try(this.#number + 1).send());
    }
  }

  const arrive = (): void => {
    // Nearly evenly, so that a second with few arrivals is no second with few answers.
    simulation.after((1000 / offered) * (0.5 + random.next()), arrive);
    requests[second()]!++;
    budget?.onRequest(simulation.nowMs);
    new Try(1).send();
  };
  simulation.after(0, arrive);
  simulation.runUntil(lastSec * 1000);

  const sum = (counts: Uint32Array, from: number, to: number): number =>
    counts.slice(from, to).reduce((all, count) => all + count, 0);
  let recoveredAfterSec: number | undefined;
  for (let from = endSec; from + 5 <= lastSec && recoveredAfterSec === undefined; from++)
    if (sum(answered, from, from + 5) >= 0.95 * sum(requests, from, from + 5)) recoveredAfterSec = from - endSec;
  return {
    goodputBefore: sum(answered, WARM_SEC - 30, WARM_SEC) / 30,
    goodputAfter: sum(answered, endSec, endSec + 30) / 30,
    recoveredAfterSec,
    attemptsPerRequest: sum(attempts, lastSec - 30, lastSec) / sum(requests, lastSec - 30, lastSec),
    queued: gate.queued,
  };
}
