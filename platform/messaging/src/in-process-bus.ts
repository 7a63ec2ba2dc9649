import { fromUnknown, type Logger, type Runtime, silentLogger } from '@souk/kernel';
import type { ActiveSubscription, Bus, BusSubscription } from './bus.ts';
import type { Envelope } from './envelope.ts';
import { messagingErrors } from './errors.ts';

export interface InProcessBusOptions {
  readonly runtime: Runtime;
  readonly log?: Logger;
  /** Events that one subscription holds, running ones included; beyond it publishing is refused. @default 8192 */
  readonly capacity?: number;
  /** Events of one subscription that are handled at the same time. @default 32 */
  readonly lanes?: number;
}

const FIRST_REDELIVERY_MS = 50;
const LONGEST_REDELIVERY_MS = 5000;

/**
 * The bus of a process that holds all its services. It remembers nothing: an event is acknowledged to its publisher when all
 * consumers are done with it, so after a crash the publisher's outbox delivers it again.
 */
export function createInProcessBus(options: InProcessBusOptions): Bus {
  const receivers: Receiver[] = [];
  return {
    name: 'in-process',
    can: { pipelinesKeys: true, durable: false },
    publish: async (envelopes) => {
      const offers = receivers
        .map((receiver) => ({ receiver, wanted: envelopes.filter(({ type }) => receiver.hears(type)) }))
        .filter(({ wanted }) => wanted.length > 0);
      // All or nothing, before anything is taken: a refusal must not leave the first half of a key with some of its consumers.
      for (const { receiver, wanted } of offers) receiver.assertRoomFor(wanted.length);
      await Promise.all(offers.flatMap(({ receiver, wanted }) => wanted.map((envelope) => receiver.take(envelope))));
    },
    subscribe: (subscription) => {
      const receiver = new Receiver(subscription, options);
      receivers.push(receiver);
      return receiver;
    },
    close: async () => {
      await Promise.all(receivers.map((receiver) => receiver.close()));
    },
  };
}

interface Entry {
  readonly envelope: Envelope;
  readonly done: PromiseWithResolvers<void>;
}

interface Lane {
  readonly waiting: Entry[];
  running: boolean;
}

/** One subscription: a fixed number of lanes, each of which runs one event at a time. A key always goes to the same lane. */
class Receiver implements ActiveSubscription {
  readonly #subscription: BusSubscription;
  readonly #options: InProcessBusOptions;
  readonly #ordered: ReadonlyMap<string, boolean>;
  readonly #lanes: readonly Lane[];
  readonly #closing = new AbortController();
  readonly #idle = Promise.withResolvers<void>();
  #size = 0;
  #running = 0;

  constructor(subscription: BusSubscription, options: InProcessBusOptions) {
    this.#subscription = subscription;
    this.#options = options;
    this.#ordered = new Map(subscription.types.map(({ type, ordered }) => [type, ordered]));
    this.#lanes = Array.from({ length: options.lanes ?? 32 }, () => ({ waiting: [], running: false }));
  }

  hears(type: string): boolean {
    return this.#ordered.has(type);
  }

  /** @throws MESSAGING_BUS_FULL, MESSAGING_SUBSCRIPTION_CLOSED */
  assertRoomFor(count: number): void {
    if (this.#closing.signal.aborted) throw this.#closed();
    if (this.#size + count > (this.#options.capacity ?? 8192)) {
      throw messagingErrors.BUS_FULL({ subscription: this.#subscription.name }, { afterMs: 100 });
    }
  }

  take(envelope: Envelope): Promise<void> {
    // Consumers share no memory, as if each had read its own copy from the wire.
    const entry = { envelope: { ...envelope, data: envelope.data.slice() }, done: Promise.withResolvers<void>() };
    const lane = this.#ordered.get(envelope.type) ? this.#laneOf(envelope) : this.#shortestLane();
    this.#size++;
    lane.waiting.push(entry);
    if (!lane.running) void this.#run(lane);
    return entry.done.promise;
  }

  close(): Promise<void> {
    this.#closing.abort(this.#closed());
    if (this.#running === 0) this.#idle.resolve();
    return this.#idle.promise;
  }

  async #run(lane: Lane): Promise<void> {
    lane.running = true;
    this.#running++;
    // Never in the publisher's own turn: a consumer is somewhere else.
    await Promise.resolve();
    for (let entry = lane.waiting.shift(); entry !== undefined; entry = lane.waiting.shift()) {
      try {
        await this.#deliver(entry.envelope);
        entry.done.resolve();
      } catch (error) {
        entry.done.reject(error);
      }
      this.#size--;
    }
    lane.running = false;
    this.#running--;
    if (this.#running === 0 && this.#closing.signal.aborted) this.#idle.resolve();
  }

  /** Until it is handled: later events of the lane wait, or their keys would lose their order. */
  async #deliver(envelope: Envelope): Promise<void> {
    const { runtime, log = silentLogger } = this.#options;
    const { signal } = this.#closing;
    for (let delivery = 1; ; delivery++) {
      signal.throwIfAborted();
      try {
        return await this.#subscription.handle({ envelope, delivery });
      } catch (thrown) {
        signal.throwIfAborted();
        const ceilingMs = Math.min(LONGEST_REDELIVERY_MS, FIRST_REDELIVERY_MS * 2 ** Math.min(delivery - 1, 20));
        const delayMs = ceilingMs * (0.5 + runtime.random.next() / 2);
        const { name } = this.#subscription;
        log.warn('an event is delivered again', {
          consumer: name,
          type: envelope.type,
          delayMs,
          err: fromUnknown(thrown),
        });
        await runtime.timers.sleep(delayMs, signal);
      }
    }
  }

  #laneOf(envelope: Envelope): Lane {
    return this.#lanes[hash(envelope.source, hash(envelope.key, 0)) % this.#lanes.length] as Lane;
  }

  #shortestLane(): Lane {
    let best = this.#lanes[0] as Lane;
    for (const lane of this.#lanes) {
      if (!lane.running) return lane;
      if (lane.waiting.length < best.waiting.length) best = lane;
    }
    return best;
  }

  #closed() {
    return messagingErrors.SUBSCRIPTION_CLOSED({ subscription: this.#subscription.name });
  }
}

/** FNV-1a: spreads short texts well enough over a few lanes. */
function hash(text: string, seed: number): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return value;
}
