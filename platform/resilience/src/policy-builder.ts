import type { Runtime } from '@souk/kernel';
import type { FallbackOptions } from './fallback.ts';
import type { PolicyListener } from './listener.ts';
import type { Classify, Outcome } from './outcome.ts';
import { createPolicy, type Policy } from './policy.ts';
import type { PolicyConfig } from './policy-config.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** Outermost first. A retry outside the breaker, so that the breaker sees attempts; the timeout next to the work, so that each has its own. */
type Order = [
  'fallback',
  'deadlineMs',
  'coalesce',
  'retry',
  'hedge',
  'throttle',
  'rateLimit',
  'shed',
  'bulkhead',
  'breaker',
  'timeout',
];

type Inside<TLayers extends readonly unknown[], TLayer> = TLayers extends readonly [infer TFirst, ...infer TRest]
  ? TFirst extends TLayer
    ? TRest
    : Inside<TRest, TLayer>
  : [];

type ConfigLayer = Exclude<keyof PolicyConfig, 'mode' | 'observe' | 'dynamic'>;
type MethodOf = { deadlineMs: 'deadline' };
type Named<TLayer> = TLayer extends keyof MethodOf ? MethodOf[TLayer] : TLayer;

/** Adds layers from the outside in; one that would stand inside of what is there already is the only one that can be added. */
export type PolicyBuilder<TLayers extends readonly unknown[] = Order, F = never> = {
  readonly [K in TLayers[number] & ConfigLayer as Named<K> & string]: (
    options: NonNullable<PolicyConfig[K]>,
  ) => PolicyBuilder<Inside<TLayers, K>, F>;
} & ('fallback' extends TLayers[number]
  ? { fallback<G>(options: FallbackOptions<G>): PolicyBuilder<Inside<TLayers, 'fallback'>, G> }
  : unknown) & {
    /** @throws RESILIENCE_BAD_OPTION */
    build(): Policy<F>;
  };

export interface BuilderInit {
  readonly runtime: Pick<Runtime, 'clock' | 'timers' | 'random'>;
  readonly wheel?: TimerWheel;
  readonly classify?: Classify;
  readonly classifyValue?: (value: unknown) => Outcome;
  readonly listener?: PolicyListener;
}

/**
 * A policy, layer by layer from the outside in; a wrong order is a type error.
 *
 *     const inventory = policy('inventory', { runtime }).retry({}).bulkhead({ limit: 40 }).breaker({}).timeout(400).build();
 *     await inventory.run((attempt) => fetch(url, { signal: attempt.signal }), { idempotent: true });
 */
export function policy(name: string, init: BuilderInit): PolicyBuilder {
  const step = (config: PolicyConfig, fallback: FallbackOptions<unknown> | undefined): unknown => {
    const add = (layer: ConfigLayer) => (options: unknown) => step({ ...config, [layer]: options }, fallback);
    return {
      fallback: (options: FallbackOptions<unknown>) => step(config, options),
      deadline: add('deadlineMs'),
      ...Object.fromEntries(LAYERS.map((layer) => [layer, add(layer)])),
      build: () => createPolicy({ ...init, name, config, ...(fallback && { fallback }) }),
    };
  };
  return step({}, undefined) as PolicyBuilder;
}

const LAYERS = [
  'coalesce',
  'retry',
  'hedge',
  'throttle',
  'rateLimit',
  'shed',
  'bulkhead',
  'breaker',
  'timeout',
] as const;
