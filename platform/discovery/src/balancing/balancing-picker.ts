// Chooses instances. Stages, in their order: split by version, subset, zone, health and ejection, panic, weights, algorithm; then whoever was tried before
// or is full is passed by. Everything that changes rarely is worked out when instances, ejections or settings change, and kept for the picks between.
//
// P1 a pick is an instance that is ready and not ejected; or, of too few such, any of the healthy-or-suspect; or, where a key sticks, its own.
// P2 every pick is in flight until `done`, and once only.
// P3 what is known of an instance belongs to its incarnation: it is kept over updates, and forgotten with the incarnation.

import { type Logger, type Runtime, silentLogger } from '@souk/kernel';
import type { Metrics } from '@souk/telemetry';
import type { Instance } from '../instance.ts';
import type { Outcome, Picked, Picker, PickRequest } from '../picker.ts';
import type { ServiceView } from '../registry.ts';
import type { Draw } from './algorithm.ts';
import { goesByKey } from './algorithms.ts';
import { type BalancingMetrics, createBalancingMetrics } from './balancing-metrics.ts';
import { learn } from './choices.ts';
import type { Group } from './group.ts';
import { createGroups } from './groups.ts';
import { hashOf } from './hash.ts';
import { createMember, type Member, refresh } from './member.ts';
import { createOutlierDetector } from './outlier.ts';
import { observe } from './peak-ewma.ts';
import { type Pool, reweigh } from './pool.ts';
import type { BalancingSettings } from './settings.ts';
import { createSplit } from './split.ts';
import { type InstanceView, type PickerView, viewOf, whyNone, zonesInWords } from './view.ts';

export interface PickerInit {
  /** `orders` */
  readonly service: string;
  readonly runtime: Runtime;
  /** Read at each pick. The same object means that nothing has changed. */
  readonly settings: () => BalancingSettings;
  /** Who calls: zones and subsets go by it. */
  readonly self?: {
    readonly zone: string;
    readonly id: string;
    /** Callers like this one by zone, itself included. Read when instances change. Left out: taken to be spread evenly. */
    readonly callers?: () => ReadonlyMap<string, number> | undefined;
  };
  readonly metrics?: Metrics;
  readonly log?: Logger;
}

export interface BalancingPicker extends Picker {
  /** Chooses an instance that gets a copy of the call. Its answer is for nobody. @returns undefined when this call is not copied */
  mirror(request: PickRequest): Picked | undefined;
  /** For an operator's table. */
  describe(): PickerView;
  /** Why {@link pick} has nobody, for an error. */
  explain(): string;
}

/** Part of a latency that enters an average: half of it follows from the last seven calls. */
const SMOOTHING = 0.1;

export function createPicker(init: PickerInit): BalancingPicker {
  const { service, runtime, self, log = silentLogger } = init;
  const { clock, random } = runtime;
  const next = () => random.next();
  let members = new Map<string, Member>();
  let sorted: readonly Member[] = [];
  let source: PickerView['source'] = 'none';
  let settings = init.settings();
  let split = createSplit(settings.split);
  let byKey = goesByKey(settings.algorithm);
  const groupsFor = () =>
    createGroups({ settings, random, zone: self?.zone ?? '', callers: self?.callers }, self?.id ?? '');
  let groups = groupsFor();
  let stale = true;
  let closed = false;
  let registryHasAnswered = false;
  let picks = 0;
  let refusals = 0;
  const draw: Draw = { keyHash: undefined, avoid: undefined, limit: Number.POSITIVE_INFINITY, nowMs: 0 };

  const metrics: BalancingMetrics | undefined =
    init.metrics && createBalancingMetrics(init.metrics, service, () => (closed ? undefined : describe()));

  const outliers = createOutlierDetector({
    random,
    settings: settings.outlier,
    members: () => members.values(),
    nowMs: clock.monotonicMs(),
    onEject: (member, reason) => {
      stale = true;
      metrics?.ejected(reason);
      log.warn('instance ejected', { service, instance: member.instance.id, reason, times: member.ejections });
    },
    onReturn: (member) => {
      stale = true;
      log.info('instance back after ejection', { service, instance: member.instance.id });
    },
  });

  /** Brings everything up to date with time, settings and instances. */
  const prepare = (): number => {
    const nowMs = clock.monotonicMs();
    const wanted = init.settings();
    if (wanted !== settings) {
      settings = wanted;
      split = createSplit(settings.split);
      byKey = goesByKey(settings.algorithm);
      groups = groupsFor();
      outliers.change(settings.outlier, nowMs);
      stale = true;
    }
    if (nowMs >= outliers.dueMs) outliers.pass(nowMs);
    if (stale) {
      stale = false;
      groups.rebuild(sorted, nowMs);
    }
    return nowMs;
  };

  const groupFor = (request: PickRequest, nowMs: number): Group => {
    if (request.version !== undefined) {
      const demanded = groups.healthyOf(request.version, nowMs);
      if (demanded !== undefined) return demanded;
      metrics?.fellBack('demanded_empty');
    }
    const canary = split.canaryOf(request.key, next);
    if (canary === undefined) return groups.stable;
    const group = groups.healthyOf(canary, nowMs);
    if (group === undefined) metrics?.fellBack('canary_empty');
    return group ?? groups.stable;
  };

  const fromPool = (pool: Pool): Member | undefined => {
    if (draw.nowMs >= pool.reweighAtMs) reweigh(pool, settings.slowStart, draw.nowMs);
    return pool.algorithm.pick(pool, draw);
  };

  const fromGroup = (group: Group): Member | undefined => {
    const { zonePicks } = group;
    if (zonePicks.length > 0) {
      const at = next();
      for (const { pool, below } of zonePicks) {
        if (at >= below) continue;
        const member = fromPool(pool);
        if (member !== undefined) return member;
        break;
      }
    }
    return fromPool(group.whole);
  };

  const aim = (request: PickRequest, nowMs: number): void => {
    draw.nowMs = nowMs;
    draw.avoid = request.avoid === undefined || request.avoid.size === 0 ? undefined : request.avoid;
    draw.limit = settings.maxInFlight === 0 ? Number.POSITIVE_INFINITY : settings.maxInFlight;
    draw.keyHash = byKey && request.key !== undefined ? hashOf(request.key) : undefined;
  };

  const choose = (request: PickRequest): Member | undefined => {
    const nowMs = prepare();
    const group = groupFor(request, nowMs);
    const { stable } = groups;
    aim(request, nowMs);
    let member = fromGroup(group);
    if (member === undefined && group !== stable) {
      member = fromGroup(stable);
      if (member !== undefined) metrics?.fellBack('canary_used_up');
    }
    if (member === undefined && draw.avoid !== undefined) {
      draw.avoid = undefined;
      member = fromGroup(group) ?? (group === stable ? undefined : fromGroup(stable));
      if (member !== undefined) metrics?.fellBack('tried_again');
    }
    return member;
  };

  const settle = (member: Member, kind: Outcome['kind'], startedMs: number): void => {
    member.inFlight -= 1;
    for (const pool of member.pools) pool.inFlight -= 1;
    if (kind === 'canceled') return;
    const nowMs = clock.monotonicMs();
    const ms = nowMs - startedMs;
    const ok = kind === 'ok';
    if (kind === 'error') member.errors += 1;
    if (kind === 'unreachable') member.unreachable += 1;
    const costMs = ok ? ms : Math.max(ms, settings.peakEwma.errorMs);
    member.latencyMs = Number.isNaN(member.latencyMs) ? ms : member.latencyMs + SMOOTHING * (ms - member.latencyMs);
    learn(member, costMs, 1 - SMOOTHING, nowMs);
    observe(member, costMs, settings.peakEwma, nowMs);
    for (const pool of member.pools) pool.algorithm.settled?.(member, ok);
    outliers.settle(member, kind, startedMs, nowMs);
  };

  const begin = (member: Member): Picked => {
    member.picks += 1;
    member.inFlight += 1;
    for (const pool of member.pools) pool.inFlight += 1;
    return new OpenPick(member, draw.nowMs, settle);
  };

  const takeOver = (known: Member | undefined, instance: Instance, nowMs: number): Member => {
    if (known?.instance.incarnation !== instance.incarnation) {
      const member = createMember(instance, nowMs);
      refresh(member, instance);
      // Who was there before this caller looked is not new.
      if (member.state === 'up' && registryHasAnswered) member.slowSinceMs = nowMs;
      return member;
    }
    const before = known.state;
    refresh(known, instance);
    if (known.state === 'up' && before !== 'up') {
      known.slowSinceMs = nowMs;
      outliers.forgive(known, nowMs);
    }
    return known;
  };

  const instanceViews = (nowMs: number): readonly InstanceView[] => {
    const groupOf = (member: Member) => groups.usualOf(member, nowMs);
    return sorted.map((member) => viewOf(member, { settings, nowMs, outside: groups.outside, groupOf }));
  };

  const describe = (): PickerView => {
    const instances = instanceViews(prepare());
    return {
      service,
      source,
      algorithm: settings.algorithm,
      panic: groups.panics(),
      picks,
      refusals,
      zones: zonesInWords(groups.stable),
      instances,
    };
  };

  return {
    update: (view: ServiceView) => {
      if (closed) return;
      const nowMs = clock.monotonicMs();
      const now = new Map<string, Member>();
      for (const instance of view.instances) {
        const known = members.get(instance.id);
        // Two under one id: the one that has been up stays, or each view would forget what is known.
        if (known !== undefined && known.state === 'up' && now.get(instance.id) === known) continue;
        now.set(instance.id, takeOver(known, instance, nowMs));
      }
      for (const [id, member] of members) if (now.get(id) !== member) member.pools = [];
      members = now;
      sorted = [...now.values()].sort((one, other) => (one.instance.id < other.instance.id ? -1 : 1));
      source = view.source;
      registryHasAnswered ||= view.source === 'registry';
      stale = true;
    },
    pick: (request) => {
      if (closed) return undefined;
      const member = choose(request);
      if (member === undefined) {
        refusals += 1;
        return undefined;
      }
      picks += 1;
      if (groups.fallbacks.length > 0) for (const why of groups.fallbacks) metrics?.fellBack(why);
      return begin(member);
    },
    mirror: (request) => {
      const { version, percent } = init.settings().mirror;
      if (closed || version === '' || next() * 100 >= percent) return undefined;
      const nowMs = prepare();
      const group = groups.healthyOf(version, nowMs);
      if (group === undefined || group.panic) return undefined;
      aim(request, nowMs);
      const member = fromGroup(group);
      return member === undefined ? undefined : begin(member);
    },
    describe,
    explain: () => (closed ? 'the picker is closed' : whyNone(instanceViews(prepare()))),
    close: () => {
      closed = true;
    },
  };
}

/** A class, so that a pick makes one object and no functions. */
class OpenPick implements Picked {
  readonly instance: Instance;
  readonly #member: Member;
  readonly #startedMs: number;
  #settle: ((member: Member, kind: Outcome['kind'], startedMs: number) => void) | undefined;

  constructor(
    member: Member,
    startedMs: number,
    settle: (member: Member, kind: Outcome['kind'], startedMs: number) => void,
  ) {
    this.instance = member.instance;
    this.#member = member;
    this.#startedMs = startedMs;
    this.#settle = settle;
  }

  done(outcome: Outcome): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    this.#settle = undefined;
    settle(this.#member, outcome.kind, this.#startedMs);
  }
}
