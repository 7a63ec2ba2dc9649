import { type Conditions, checkConditions, discoveryErrors, type Registered, type Registration } from '@souk/discovery';
import { fromUnknown } from '@souk/kernel';
import type { ConsulApi } from './api.ts';
import type { Link } from './link.ts';
import type { ConsulSettings } from './options.ts';
import { pauseMs } from './pause.ts';

export interface AnnouncementInit {
  readonly api: ConsulApi;
  readonly link: Link;
  readonly settings: ConsulSettings;
}

/**
 * Keeps one instance in the registry: by heartbeats, and by registering it again when the registry has forgotten it.
 *
 *   wanted --register--> held --heartbeat--> held      held --update(), heartbeat says unknown--> wanted
 *   wanted, held --a later run holds the id--> superseded      wanted --the first time is refused--> refused
 *   any --deregister()--> gone
 *
 * I1 no registration begins after `deregister` was called.  I2 an earlier run writes only after it has seen that no later one holds the id.
 */
export class Announcement implements Registered {
  readonly #init: AnnouncementInit;
  readonly #registration: Registration;
  #conditions: Conditions;
  #state: 'wanted' | 'held' | 'superseded' | 'refused' | 'gone' = 'wanted';
  /** Whether it may be in the registry. */
  #sent = false;
  /** Whether it has been there, as it was wanted. */
  #known = false;
  /** Whether maintenance may be on: what an earlier run left behind is not known. */
  #maintained: boolean | 'unknown' = 'unknown';
  /** Counts what is wanted; what is done follows it. */
  #wanted = 1;
  #done = 0;
  #wake = Promise.withResolvers<void>();
  #refusal: string | undefined;
  readonly #waiting = new Set<() => void>();
  #running: Promise<void> = Promise.resolve();

  constructor(init: AnnouncementInit, registration: Registration, conditions: Conditions) {
    this.#init = init;
    this.#registration = registration;
    this.#conditions = conditions;
  }

  /** @throws DISCOVERY_REGISTRATION_REFUSED */
  async start(): Promise<void> {
    this.#running = this.#run();
    await this.#settled();
    if (this.#refusal === undefined || this.#known) return;
    const { id, service } = this.#registration;
    throw discoveryErrors.REGISTRATION_REFUSED({ id, service, why: this.#refusal });
  }

  async update(conditions: Conditions): Promise<void> {
    if (this.#isOver()) return;
    checkConditions(this.#registration, conditions);
    this.#conditions = conditions;
    this.#wanted++;
    this.#wake.resolve();
    await this.#settled();
  }

  async deregister(): Promise<void> {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#wake.resolve();
    this.#release();
    const { settings, link } = this.#init;
    const { timers } = settings.runtime;
    const tooLate = Promise.withResolvers<void>();
    const timer = timers.after(settings.patienceMs, tooLate.resolve);
    // What is under way comes first, or it would put the instance in again.
    const gone = this.#running.then(() => (this.#sent ? this.#takeOut() : undefined));
    await Promise.race([gone, tooLate.promise]);
    timer.cancel();
    link.left(this);
  }

  async #takeOut(): Promise<void> {
    const { api } = this.#init;
    const { id, service, incarnation } = this.#registration;
    try {
      if ((await api.holder(this.#registration)) === incarnation) await api.deregister(this.#registration);
    } catch (thrown) {
      const err = fromUnknown(thrown);
      this.#init.settings.log.warn('the registry did not hear the good-bye: the instance expires', {
        id,
        service,
        err,
      });
    }
  }

  async #run(): Promise<void> {
    const { link, settings } = this.#init;
    const { random } = settings.runtime;
    const beatMs = settings.ttlMs / 3;
    let failures = 0;
    while (!this.#isOver()) {
      try {
        if (this.#state === 'wanted' || this.#done !== this.#wanted) await this.#put();
        else if ((await this.#init.api.pass(this.#registration)) === 'unknown') {
          this.#state = 'wanted';
          if (failures++ === 0) continue;
        }
        if (this.#isOver()) break;
        link.well(this);
        if (this.#state === 'held') failures = 0;
        // Not in step with others that the same event has woken.
        if (this.#done === this.#wanted) await this.#idle(beatMs * (0.8 + random.next() / 5));
      } catch (thrown) {
        if (this.#isOver()) break;
        const error = fromUnknown(thrown);
        link.failed(this, error.message);
        await this.#idle(pauseMs(failures++, beatMs, random, error));
      }
    }
    link.left(this);
    this.#release();
  }

  /** Brings what is wanted into the registry. */
  async #put(): Promise<void> {
    const { api, settings } = this.#init;
    const wanted = this.#wanted;
    const conditions = this.#conditions;
    const { id, service, incarnation } = this.#registration;
    let holder: string | undefined;
    if (this.#known) {
      holder = await api.holder(this.#registration);
      if (holder !== undefined && holder > incarnation) return this.#supersede();
    }
    const forgotten = holder !== incarnation;
    if (forgotten) this.#maintained = this.#known && holder === undefined ? false : 'unknown';
    this.#sent = true;
    // One that does nothing yet is out of sight for strangers until maintenance says why; one that drains is never as good as dead.
    const alive = conditions.ready || conditions.serving || !forgotten;
    const taken = await api.register(this.#registration, conditions, {
      ...{ alive, replace: forgotten, again: this.#known },
    });
    if (taken === 'stale') {
      this.#refusal = 'a later run of it is registered';
      return this.#supersede();
    }
    if (taken !== 'taken') return this.#refuse(taken.refused);
    if (this.#known && forgotten) settings.log.info('registered again', { id, service });
    if (conditions.ready ? this.#maintained !== false : this.#maintained !== true) {
      const reason = conditions.terminating ? 'souk: draining' : 'souk: takes no new work';
      this.#maintained = 'unknown';
      await api.maintain(this.#registration, conditions.ready ? undefined : reason);
      this.#maintained = !conditions.ready;
    }
    if (!alive) await api.pass(this.#registration);
    this.#known = true;
    if (this.#state === 'wanted') this.#state = 'held';
    this.#done = wanted;
    this.#release();
  }

  #supersede(): void {
    const { id, service } = this.#registration;
    if (this.#state !== 'gone') this.#state = 'superseded';
    this.#init.settings.log.warn('a later run of this instance has taken its place', { id, service });
  }

  /** A first registration that is refused is given up. Later the same may pass again: a token that was revoked by mistake. */
  #refuse(why: string): void {
    const { id, service } = this.#registration;
    this.#refusal = why;
    if (this.#known) throw discoveryErrors.REGISTRATION_REFUSED({ id, service, why });
    if (this.#state !== 'gone') this.#state = 'refused';
    this.#init.settings.log.error('the registry refuses an instance', { id, service, why });
  }

  #isOver(): boolean {
    return this.#state !== 'wanted' && this.#state !== 'held';
  }

  /** Resolves when all that is wanted now is done, when it never will be, or when the registry is out of reach for too long. */
  async #settled(): Promise<void> {
    const wanted = this.#wanted;
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = () => {
      if (this.#done >= wanted || this.#isOver()) resolve();
    };
    this.#waiting.add(check);
    const { runtime, patienceMs } = this.#init.settings;
    const timer = runtime.timers.after(patienceMs, resolve);
    check();
    await promise;
    timer.cancel();
    this.#waiting.delete(check);
  }

  #release(): void {
    for (const check of [...this.#waiting]) check();
  }

  /** Ends early when something new is wanted. */
  async #idle(ms: number): Promise<void> {
    const timer = this.#init.settings.runtime.timers.after(ms, () => this.#wake.resolve());
    await this.#wake.promise;
    timer.cancel();
    this.#wake = Promise.withResolvers();
  }
}
