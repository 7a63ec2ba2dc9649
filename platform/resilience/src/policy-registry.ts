import type { Runtime } from '@souk/kernel';
import type { Override } from './breaker-operator.ts';
import type { BreakerSettings } from './breaker-options.ts';
import type { Breaker, BreakerTransition } from './breaker-types.ts';
import { fits, mergeChanges, mergeConfig, type PolicyChange } from './config-merge.ts';
import { resilienceErrors } from './errors.ts';
import { resolveConfig } from './layer-builder.ts';
import type { PolicyListener } from './listener.ts';
import { createPolicy, type Policy, type PolicyFunctions } from './policy.ts';
import { type PolicyView, viewPolicy } from './policy-view.ts';
import { type PolicyKind, PRESETS } from './presets.ts';
import { createTimerWheel } from './timer-wheel.ts';

/** What settings say: a configuration for each kind, and changes for names that fit a pattern. */
export interface PolicyRules {
  /** @default PRESETS */
  readonly kinds?: Partial<Readonly<Record<PolicyKind, PolicyChange>>>;
  /** By name, or by its beginning and a star: `rpc:payments/*`. The longer pattern wins. */
  readonly rules?: Readonly<Record<string, PolicyChange>>;
}

/** Makes the breaker of a policy, in place of a plain one: for breakers that are shared. */
export type MakeBreaker = (
  name: string,
  settings: BreakerSettings,
  make: (onTransition: (change: BreakerTransition) => void) => Breaker,
) => Breaker;

export interface PolicyRegistryInit {
  readonly runtime: Pick<Runtime, 'clock' | 'timers' | 'random'>;
  readonly rules?: PolicyRules;
  readonly listener?: PolicyListener;
  readonly makeBreaker?: MakeBreaker;
}

export interface RegisteredFunctions<F> extends PolicyFunctions<F> {
  /** For targets that come and go: whoever uses it asks for it by name each time. @default false */
  readonly ephemeral?: boolean;
}

/*
 * Y1 One policy for each name: whoever asks for the same name shares what it has learned.
 * Y2 What operators set at run time wins over the settings, and lasts as long as the process.
 * Y3 A change that is wrong for any policy it fits changes none.
 * Y4 Ephemeral policies that nobody used for ten minutes and that are closed are let go of: targets that are gone leave nothing behind.
 */
export interface PolicyRegistry {
  /** The policy of that name, made when it is first asked for; what is given for one that is there already is ignored. */
  policy<F = never>(name: string, kind: PolicyKind, functions?: RegisteredFunctions<F>): Policy<F>;
  list(): readonly PolicyView[];
  /** @throws RESILIENCE_UNKNOWN_POLICY */
  find(name: string): Policy<unknown>;
  /**
   * Lays a change over all policies that fit, and those that will. What fits none yet is held to the presets of all kinds.
   * @param change Added to what was set for that pattern before; `null` takes all of that back.
   * @param options `dryRun`: changes nothing.
   * @returns The names of those that are changed by it.
   * @throws RESILIENCE_BAD_OPTION; then nothing has changed
   */
  set(pattern: string, change: PolicyChange | null, options?: { readonly dryRun?: boolean }): readonly string[];
  /** What was set at run time, by pattern. */
  changes(): Readonly<Record<string, PolicyChange>>;
  /** @throws RESILIENCE_UNKNOWN_POLICY, RESILIENCE_NO_BREAKER */
  isolate(name: string, by: Override): void;
  release(name: string, owner: string): void;
  reset(name: string): void;
  /** New settings. @throws RESILIENCE_BAD_OPTION; then nothing has changed */
  configure(rules: PolicyRules): void;
  /** Tells shedders how far the process is beyond what it can bear; see `createLoadSignal`. */
  setOverload(overload: number): void;
  /** Adapts what is to follow the traffic, and lets go of what is idle. To be called every half minute or so. */
  tend(): void;
}

/**
 * Whether policies can be made of the rules: each kind by itself, and each change laid over the preset of every kind.
 * @throws RESILIENCE_BAD_OPTION
 */
export function checkRules({ kinds = {}, rules = {} }: PolicyRules): void {
  for (const config of Object.values(kinds)) resolveConfig(mergeConfig({}, config));
  for (const change of Object.values(rules))
    for (const config of Object.values({ ...PRESETS, ...kinds })) resolveConfig(mergeConfig({}, config, change));
}

const IDLE_MS = 10 * 60_000;

interface Held {
  readonly policy: Policy<unknown>;
  readonly kind: PolicyKind;
  readonly ephemeral: boolean;
  calls: number;
  usedMs: number;
}

export function createPolicyRegistry(init: PolicyRegistryInit): PolicyRegistry {
  const { runtime, listener, makeBreaker } = init;
  const { clock } = runtime;
  const wheel = createTimerWheel(runtime);
  const policies = new Map<string, Held>();
  const live = new Map<string, PolicyChange>();
  let rules = init.rules ?? {};

  const fitting = (changes: Iterable<readonly [string, PolicyChange]>, name: string): PolicyChange[] =>
    [...changes]
      .filter(([pattern]) => fits(pattern, name))
      .sort(([one], [other]) => one.length - other.length)
      .map(([, change]) => change);
  const configOf = (name: string, kind: PolicyKind, by = rules, set: ReadonlyMap<string, PolicyChange> = live) =>
    mergeConfig(
      {},
      by.kinds?.[kind] ?? PRESETS[kind],
      ...fitting(Object.entries(by.rules ?? {}), name),
      ...fitting(set, name),
    );
  const held = (name: string): Held => {
    const found = policies.get(name);
    if (found !== undefined) return found;
    throw resilienceErrors.UNKNOWN_POLICY({ name, known: [...policies.keys()].sort().join(', ') || 'none' });
  };
  const breakerOf = (name: string): Breaker => {
    const { breaker } = held(name).policy;
    if (breaker === undefined) throw resilienceErrors.NO_BREAKER({ name });
    return breaker;
  };
  /** All or none. */
  const reconfigure = (
    by: PolicyRules,
    set: ReadonlyMap<string, PolicyChange>,
    { dryRun = false } = {},
  ): readonly string[] => {
    const wanted = [...policies].map(([name, { kind, policy }]) => ({ policy, to: configOf(name, kind, by, set) }));
    const changed = wanted.filter(({ policy, to }) => JSON.stringify(policy.config) !== JSON.stringify(to));
    for (const { policy, to } of changed) policy.check(to);
    if (!dryRun) for (const { policy, to } of changed) policy.configure(to);
    return changed.map(({ policy }) => policy.name);
  };

  return {
    policy: <F>(name: string, kind: PolicyKind, functions: RegisteredFunctions<F> = {}) => {
      const known = policies.get(name);
      if (known !== undefined) return known.policy as Policy<F>;
      const policy = createPolicy<F>({
        ...(listener && { listener }),
        ...functions,
        ...{ name, runtime, wheel, makeBreaker, config: configOf(name, kind) },
      });
      policies.set(name, {
        policy: policy as Policy<unknown>,
        kind,
        ephemeral: functions.ephemeral ?? false,
        calls: 0,
        usedMs: clock.monotonicMs(),
      });
      return policy;
    },
    list: () =>
      [...policies.values()]
        .sort((one, other) => (one.policy.name < other.policy.name ? -1 : 1))
        .map(({ kind, policy }) => viewPolicy(kind, policy)),
    find: (name) => held(name).policy,
    set: (pattern, change, options = {}) => {
      const next = new Map(live);
      if (change === null) next.delete(pattern);
      else next.set(pattern, mergeChanges(next.get(pattern) ?? {}, change));
      const wanted = next.get(pattern);
      if (wanted !== undefined && ![...policies.keys()].some((name) => fits(pattern, name)))
        checkRules({ kinds: rules.kinds ?? {}, rules: { [pattern]: wanted } });
      const changed = reconfigure(rules, next, options);
      if (options.dryRun) return changed;
      live.clear();
      for (const [key, value] of next) live.set(key, value);
      return changed;
    },
    changes: () => Object.fromEntries(live),
    isolate: (name, by) => breakerOf(name).isolate(by, clock.monotonicMs()),
    release: (name, owner) => breakerOf(name).release(owner, clock.monotonicMs()),
    reset: (name) => breakerOf(name).reset(clock.monotonicMs()),
    configure: (to) => {
      reconfigure(to, live);
      rules = to;
    },
    setOverload: (overload) => {
      for (const { policy } of policies.values()) policy.setOverload(overload);
    },
    tend: () => {
      const nowMs = clock.monotonicMs();
      for (const [name, one] of policies) {
        const { policy } = one;
        if (policy.stats.calls !== one.calls) {
          one.calls = policy.stats.calls;
          one.usedMs = nowMs;
        }
        policy.adapt();
        const state = policy.breaker?.peek(nowMs).state ?? 'CLOSED';
        if (
          one.ephemeral &&
          nowMs - one.usedMs >= IDLE_MS &&
          state === 'CLOSED' &&
          (policy.bulkhead?.active ?? 0) === 0
        )
          policies.delete(name);
      }
    },
  };
}
