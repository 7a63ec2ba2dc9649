import type { Part, Runtime } from '@souk/kernel';
import {
  createLoadSignal,
  createPolicyRegistry,
  type MakeBreaker,
  type PolicyRegistry,
  type PolicyRules,
  watchNodeLoad,
} from '@souk/resilience';
import type { Telemetry } from '@souk/telemetry';
import { exposePolicies } from './policy-metrics.ts';

export interface HostPoliciesInit {
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly rules?: PolicyRules;
  /** Milliseconds that the event loop may come late before the least important calls are refused. @default 500 */
  readonly maxEventLoopDelayMs?: number;
  /** For breakers that are shared with other instances. */
  readonly makeBreaker?: MakeBreaker;
}

/** The policies of a process, seen in its log and metrics. */
export interface HostPolicies {
  readonly policies: PolicyRegistry;
  /** Watches the load of the process and tends the policies while it runs. */
  readonly part: Part;
}

const TEND_EVERY_MS = 15_000;

export function createHostPolicies(init: HostPoliciesInit): HostPolicies {
  const { runtime, telemetry, rules, makeBreaker, maxEventLoopDelayMs = 500 } = init;
  const transitions = telemetry.metrics.counter({
    name: 'souk_breaker_transitions_total',
    help: 'Changes of state of circuit breakers.',
    labels: ['policy', 'from', 'to'],
  });
  const policies = createPolicyRegistry({
    runtime,
    ...(rules && { rules }),
    ...(makeBreaker && { makeBreaker }),
    listener: {
      onTransition: ({ policy, from, to, reason, failureRate, slowRate }) => {
        transitions.add(1, { policy, from, to });
        const tell = to === 'OPEN' || to === 'FORCED_OPEN' ? telemetry.log.warn : telemetry.log.info;
        tell.call(telemetry.log, 'a circuit breaker has changed', { policy, from, to, reason, failureRate, slowRate });
      },
    },
  });
  exposePolicies(telemetry.metrics, policies);
  const signal = createLoadSignal({ eventLoopDelayMs: maxEventLoopDelayMs });
  let stop: (() => void) | undefined;
  return {
    policies,
    part: {
      name: 'policies',
      start: async () => {
        const unwatch = watchNodeLoad(runtime.timers, (sample) => policies.setOverload(signal.update(sample)));
        const tending = runtime.timers.every(TEND_EVERY_MS, () => policies.tend());
        stop = () => {
          unwatch();
          tending.cancel();
        };
      },
      stop: async () => stop?.(),
    },
  };
}
