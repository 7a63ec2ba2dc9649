import { type Context, fromUnknown } from '@souk/kernel';
import type { Entry } from './hand.ts';
import type { PostgresBusSettings } from './options.ts';

const ACKNOWLEDGE = '/* bus-acknowledge */ SELECT souk.bus_acknowledge($1, $2, $3, $4, $5)';
/** Rows that one statement removes. */
const BATCH = 500;
const RETRY_MS = 100;

export interface Acknowledgement {
  readonly group: number;
  /** Who had the slot when the entry was read. */
  readonly owner: string;
  readonly entry: Entry;
  /** The row is gone, or was not ours to remove. */
  readonly onRemoved: () => void;
}

/**
 * Removes handled events from the queues, those of all subscriptions together: after `ackMs`, or at once when many have come or somebody
 * waits for it. What could not be removed is tried again.
 */
export class Acknowledger {
  readonly #settings: PostgresBusSettings;
  readonly #context: () => Context;
  readonly #onTrouble: (error: unknown) => void;
  #pending: Acknowledgement[] = [];
  #isDue = false;
  #running: Promise<boolean> | undefined;

  constructor(settings: PostgresBusSettings, context: () => Context, onTrouble: (error: unknown) => void) {
    this.#settings = settings;
    this.#context = context;
    this.#onTrouble = onTrouble;
  }

  add(acknowledgement: Acknowledgement): void {
    this.#pending.push(acknowledgement);
    if (this.#pending.length >= BATCH) void this.flush();
    else this.#flushIn(this.#settings.ackMs);
  }

  /** @returns whether all that was handed in before is gone */
  async flush(): Promise<boolean> {
    // What is under way may have begun before the last came in.
    while (this.#running !== undefined) if (!(await this.#running)) return false;
    if (this.#pending.length === 0) return true;
    this.#running = this.#removeAll();
    return this.#running;
  }

  async #removeAll(): Promise<boolean> {
    try {
      while (this.#pending.length > 0) await this.#remove(this.#pending.splice(0, BATCH));
      return true;
    } catch (thrown) {
      this.#settings.log.warn('handled events could not be removed: they may be delivered again', {
        err: fromUnknown(thrown),
      });
      this.#onTrouble(thrown);
      this.#flushIn(RETRY_MS);
      return false;
    } finally {
      this.#running = undefined;
    }
  }

  async #remove(batch: readonly Acknowledgement[]): Promise<void> {
    try {
      using ctx = this.#context();
      await this.#settings.db
        .at(ctx)
        .query(ACKNOWLEDGE, [
          batch.map(({ group }) => group),
          batch.map(({ entry }) => entry.slot),
          batch.map(({ owner }) => owner),
          batch.map(({ entry }) => entry.epoch),
          batch.map(({ entry }) => entry.pos),
        ]);
    } catch (error) {
      this.#pending.unshift(...batch);
      throw error;
    }
    for (const { onRemoved } of batch) onRemoved();
  }

  #flushIn(delayMs: number): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#settings.runtime.timers.after(delayMs, () => {
      this.#isDue = false;
      void this.flush();
    });
  }
}
