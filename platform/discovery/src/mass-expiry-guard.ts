import type { Clock, Logger } from '@souk/kernel';
import type { Instance } from './instance.ts';
import { sorted } from './instance-set.ts';
import { checkPositive } from './options.ts';

/** When what a registry says is not believed. Times in milliseconds. */
export interface MassExpiryOptions {
  /** More than this share of all instances must vanish at once. 1: never. @default 0.85 */
  readonly share?: number;
  /** Of fewer known instances it is never believed to be a mistake. @default 5 */
  readonly atLeast?: number;
  /** Longest time for which instances are kept against the registry's word. @default 60000 */
  readonly keepMs?: number;
  /** What vanishes within this time of each other vanishes at once; for so long a single one that vanished is kept too. @default 1000 */
  readonly togetherMs?: number;
  /**
   * For so long after a registry came back from an outage nothing is taken out that had not said good-bye: all that live repeat their
   * registrations in that time. A lease and a heartbeat of the usual lengths. @default 20000
   */
  readonly afterOutageMs?: number;
}

export type MassExpirySettings = Required<MassExpiryOptions>;

interface Held {
  readonly instance: Instance;
  untilMs: number;
}

interface Known {
  said: ReadonlyMap<string, Instance>;
  readonly held: Map<string, Held>;
}

/** @throws DISCOVERY_INVALID_OPTION */
export function toMassExpirySettings(options: MassExpiryOptions = {}): MassExpirySettings {
  const { share = 0.85, atLeast = 5, keepMs = 60_000, togetherMs = 1000, afterOutageMs = 20_000 } = options;
  checkPositive({ atLeast });
  checkPositive({ share, keepMs, togetherMs, afterOutageMs }, 0);
  return Object.freeze({ share, atLeast, keepMs, togetherMs, afterOutageMs });
}

/**
 * Stands between a registry and those who believe it. Instances that say good-bye, by draining, go at once. One that just vanishes is held
 * for a moment; when nearly all vanish in that moment, the registry or the way to it is the more likely to be broken: they are all kept.
 *
 *   said --vanishes--> held --time is over, or share are back--> gone      held --is said again--> said
 *   off --more than `share` of `atLeast` or more are held--> on --keepMs, or `share` of them are back--> off
 *
 * I1 an instance that was terminating is never held.  I2 nothing is held longer than the longest of the times, counted from its vanishing
 * or from when the guard came on.  I3 what is said is always shown, as it is said.
 */
export class MassExpiryGuard {
  readonly #settings: MassExpirySettings;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onTrip: () => void;
  readonly #services = new Map<string, Known>();
  #on: { readonly untilMs: number; readonly sinceMs: number; most: number } | undefined;

  constructor(settings: MassExpirySettings, clock: Clock, log: Logger, onTrip: () => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#onTrip = onTrip;
  }

  /**
   * Takes over what the registry says of a service.
   *
   * @param backForMs Time since the registry came back from an outage; undefined when it had none.
   * @returns services whose {@link shown} may have changed: this one, or all when the guard went off
   */
  say(service: string, instances: readonly Instance[], backForMs: number | undefined): ReadonlySet<string> {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#services.get(service) ?? { said: new Map<string, Instance>(), held: new Map<string, Held>() };
    this.#services.set(service, known);
    const said = new Map(instances.map((instance) => [instance.id, instance]));
    for (const id of said.keys()) known.held.delete(id);
    const graceMs = Math.max(0, this.#settings.afterOutageMs - (backForMs ?? Number.POSITIVE_INFINITY));
    const vanished = [...known.said.values()].filter(({ id, terminating }) => !terminating && !said.has(id));
    for (const instance of vanished) known.held.set(instance.id, { instance, untilMs: nowMs + graceMs });
    known.said = said;

    const { held, total } = this.#count();
    if (this.#on !== undefined) {
      this.#on.most = Math.max(this.#on.most, held);
      for (const { id } of vanished) this.#hold(known, id, this.#on.untilMs);
      if (held <= this.#on.most * (1 - this.#settings.share)) {
        return this.#turnOff('the registry shows them again').add(service);
      }
    } else if (total >= this.#settings.atLeast) {
      for (const { id } of vanished) this.#hold(known, id, nowMs + this.#settings.togetherMs);
      if (held / total > this.#settings.share) this.#turnOn(nowMs, held, total);
    }
    for (const [id, { untilMs }] of known.held) if (untilMs <= nowMs) known.held.delete(id);
    return new Set([service]);
  }

  /** What to believe of a service. */
  shown(service: string): readonly Instance[] {
    const known = this.#services.get(service);
    if (known === undefined) return [];
    return sorted([...known.said.values(), ...[...known.held.values()].map(({ instance }) => instance)]);
  }

  /** Instances of a service, or of all, that are shown against the registry's word. */
  kept(service?: string): number {
    return service === undefined ? this.#count().held : (this.#services.get(service)?.held.size ?? 0);
  }

  /** Milliseconds since it came on; undefined while it is off. */
  get onForMs(): number | undefined {
    return this.#on && this.#clock.monotonicMs() - this.#on.sinceMs;
  }

  /** Monotonic time at which {@link expire} has something to do. */
  get nextMs(): number | undefined {
    let next: number | undefined;
    for (const { held } of this.#services.values()) {
      for (const { untilMs } of held.values()) next = Math.min(next ?? untilMs, untilMs);
    }
    return next;
  }

  /** Lets go of what was held long enough. @returns services that lost instances by it */
  expire(): ReadonlySet<string> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#on !== undefined && this.#on.untilMs <= nowMs) return this.#turnOff('it did not show them again in time');
    const changed = new Set<string>();
    for (const [service, { held }] of this.#services) {
      for (const [id, { untilMs }] of held) if (untilMs <= nowMs && held.delete(id)) changed.add(service);
    }
    return changed;
  }

  #hold(known: Known, id: string, untilMs: number): void {
    const held = known.held.get(id);
    if (held !== undefined) held.untilMs = Math.max(held.untilMs, untilMs);
  }

  #count(): { readonly held: number; readonly total: number } {
    let [held, total] = [0, 0];
    for (const known of this.#services.values()) {
      held += known.held.size;
      total += known.held.size;
      for (const { terminating } of known.said.values()) if (!terminating) total++;
    }
    return { held, total };
  }

  #turnOn(nowMs: number, held: number, total: number): void {
    const untilMs = nowMs + this.#settings.keepMs;
    this.#on = { untilMs, sinceMs: nowMs, most: held };
    for (const known of this.#services.values()) for (const id of known.held.keys()) this.#hold(known, id, untilMs);
    this.#log.error('nearly all instances vanished from the registry at once: they are kept, calls go on to them', {
      vanished: held,
      known: total,
      keepMs: this.#settings.keepMs,
    });
    this.#onTrip();
  }

  #turnOff(why: string): Set<string> {
    this.#on = undefined;
    this.#log.warn('the registry is believed again', { why, dropped: this.kept() });
    const changed = new Set<string>();
    for (const [service, { held }] of this.#services) {
      if (held.size > 0) changed.add(service);
      held.clear();
    }
    return changed;
  }
}
