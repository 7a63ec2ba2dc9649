import type { Part, Runtime } from '@souk/kernel';
import {
  type BreakerSharing,
  createBreakerSharing,
  createLoadSignal,
  createPolicyRegistry,
  type MakeBreaker,
  type PolicyRegistry,
  type PolicyRules,
  watchNodeLoad,
} from '@souk/resilience';
import type { Database } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import { createBreakerChannel } from './breaker-channel.ts';
import { exposePolicies } from './policy-metrics.ts';

export interface HostPoliciesInit {
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly rules?: PolicyRules;
  /** Milliseconds that the event loop may come late before the least important calls are refused. @default 500 */
  readonly maxEventLoopDelayMs?: number;
  /** Whether other instances of the process hear of breakers, through its first database, and take the orders of operators. @default false */
  readonly share?: boolean;
}

/** The policies of a process, seen in its log and metrics. */
export interface HostPolicies {
  readonly policies: PolicyRegistry;
  /** What instances know of each other; undefined when nothing is shared. */
  readonly sharing: BreakerSharing | undefined;
  /** Watches the load of the process and tends the policies while it runs. */
  readonly part: Part;
  /** Begins to share. @param db That all instances of the process have in common. */
  open(db: Database): Promise<void>;
  close(): Promise<void>;
}

/** Breakers that guard what the channel itself needs, or that every process has for itself, are not shared. */
const SHARED = /^(rpc|http|email|publish):/;

const TEND_EVERY_MS = 15_000;

export function createHostPolicies(init: HostPoliciesInit): HostPolicies {
  const { runtime, telemetry, rules, maxEventLoopDelayMs = 500 } = init;
  const channel = init.share ? createBreakerChannel(runtime, telemetry.log) : undefined;
  const sharing = channel && createBreakerSharing({ ...channel, instance: runtime.ids.next('run'), runtime });
  const makeBreaker: MakeBreaker | undefined =
    sharing && ((name, settings, make) => (SHARED.test(name) ? sharing.share(name, settings, make) : make(() => {})));
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
    sharing,
    open: async (db) => {
      if (channel === undefined || sharing === undefined) return;
      await channel.open(db);
      await sharing.start();
    },
    close: async () => {
      await sharing?.stop();
      await channel?.close();
    },
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
