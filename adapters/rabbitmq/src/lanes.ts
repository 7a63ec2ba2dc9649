import { fromUnknown, type Logger, type Runtime, type Timer } from '@souk/kernel';
import type { BusSubscription, Envelope } from '@souk/messaging';

const DEFAULT_CONCURRENCY = 32;
const FIRST_REDELIVERY_MS = 50;
const LONGEST_REDELIVERY_MS = 5000;

/** An event that the broker has given us and waits to hear of. */
export interface Taken {
  readonly envelope: Envelope;
  readonly ordered: boolean;
  /** How often it was delivered before, by the broker's count. */
  readonly earlier: number;
  /** Over the channel that brought it; does nothing when that is gone. */
  ack(): void;
  /** Whether the channel that brought it is still there. If not, the broker gives the event out again. */
  isAlive(): boolean;
}

interface Entry {
  taken: Taken;
  tries: number;
}

/** Events of one key; at most the first is being handled. */
interface Lane {
  readonly key: string;
  readonly entries: Entry[];
  state: 'ready' | 'running' | 'resting';
  timer?: Timer;
}

/**
 * What one subscription holds: `concurrency` events run at a time, one of each key. What fails is held and tried again here, since a
 * queue gives back what it is returned at once, or behind others.
 *
 * I1 an event is acknowledged after its handler resolved, never before.
 * I2 events of a key run one after another, in the order in which they came; also when the connection is lost meanwhile and the broker
 *    gives them again: the one that runs is joined, the others are forgotten and come again.
 */
export class Lanes {
  readonly #subscription: BusSubscription;
  readonly #runtime: Runtime;
  readonly #log: Logger;
  readonly #lanes = new Map<string, Lane>();
  readonly #ready: Lane[] = [];
  readonly #whenIdle: (() => void)[] = [];
  #running = 0;
  #paused = false;

  constructor(subscription: BusSubscription, runtime: Runtime, log: Logger) {
    this.#subscription = subscription;
    this.#runtime = runtime;
    this.#log = log;
  }

  get concurrency(): number {
    return this.#subscription.concurrency ?? DEFAULT_CONCURRENCY;
  }

  take(taken: Taken): void {
    const { source, key: keyText, id } = taken.envelope;
    const key = taken.ordered ? `${source}#${keyText}` : `${source}!${id}`;
    const lane = this.#lanes.get(key);
    if (lane === undefined) {
      const made: Lane = { key, entries: [{ taken, tries: 0 }], state: 'ready' };
      this.#lanes.set(key, made);
      this.#ready.push(made);
      this.#wake();
      return;
    }
    const [first] = lane.entries;
    const { envelope } = first?.taken ?? {};
    // Only what was orphaned: two copies that both came over living channels want an acknowledgement each.
    if (envelope?.id === id && envelope.source === source && first?.taken.isAlive() === false) first.taken = taken;
    else lane.entries.push({ taken, tries: 0 });
    this.#wake();
  }

  /** Starts nothing more. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Forgets what does not run and came over channels that are gone. */
  forgetOrphans(): void {
    for (const lane of this.#lanes.values()) {
      const kept = lane.entries.filter(
        (entry, index) => (index === 0 && lane.state === 'running') || entry.taken.isAlive(),
      );
      if (kept[0] !== lane.entries[0]) {
        lane.timer?.cancel();
        if (lane.state === 'resting') this.#ready.push(lane);
        lane.state = 'ready';
      }
      lane.entries.splice(0, lane.entries.length, ...kept);
    }
    this.#wake();
  }

  #wake(): void {
    while (!this.#paused && this.#running < this.concurrency) {
      const lane = this.#ready.shift();
      if (lane === undefined) return;
      const entry = lane.entries[0];
      if (entry === undefined) {
        if (this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key);
        continue;
      }
      lane.state = 'running';
      this.#running++;
      void this.#run(lane, entry);
    }
  }

  async #run(lane: Lane, entry: Entry): Promise<void> {
    const { envelope, earlier } = entry.taken;
    let failed = false;
    try {
      entry.tries++;
      await this.#subscription.handle({ envelope, delivery: earlier + entry.tries });
      entry.taken.ack();
    } catch (thrown) {
      failed = true;
      if (!this.#paused) this.#log.warn('an event is delivered again', this.#facts(entry, thrown));
    }
    this.#running--;
    if (failed && entry.taken.isAlive()) this.#rest(lane, entry.tries);
    else {
      lane.entries.shift();
      lane.state = 'ready';
      this.#ready.push(lane);
    }
    this.#wake();
    if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Later events of the key wait; other keys have its place meanwhile. */
  #rest(lane: Lane, tries: number): void {
    const ceilingMs = Math.min(LONGEST_REDELIVERY_MS, FIRST_REDELIVERY_MS * 2 ** Math.min(tries - 1, 20));
    lane.state = 'resting';
    lane.timer = this.#runtime.timers.after(ceilingMs * (0.5 + this.#runtime.random.next() / 2), () => {
      lane.state = 'ready';
      this.#ready.push(lane);
      this.#wake();
    });
  }

  #facts({ taken: { envelope }, tries }: Entry, thrown: unknown) {
    return { type: envelope.type, id: envelope.id, tries, err: fromUnknown(thrown) };
  }
}
