import { type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import { createPolicy, type Policy, type PolicyConfig, type PolicyFunctions } from '../src/index.ts';

/** Work whose end the test decides. */
export interface Job {
  readonly signal: AbortSignal;
  readonly number: number;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export interface PolicyWorld<F> {
  readonly runtime: VirtualRuntime;
  readonly policy: Policy<F>;
  /** Work that was begun, in its order. */
  readonly jobs: Job[];
  /** Runs work that ends when the test says so. */
  readonly work: (attempt: { readonly signal: AbortSignal; readonly number: number }) => Promise<unknown>;
}

export function policyWorld<F = never>(
  config: PolicyConfig,
  functions: PolicyFunctions<F> = {},
  seed = 1,
): PolicyWorld<F> {
  const runtime = virtualRuntime({ seed });
  const policy = createPolicy<F>({ name: 'stock', config, runtime, ...functions });
  const jobs: Job[] = [];
  const work: PolicyWorld<F>['work'] = (attempt) =>
    new Promise((resolve, reject) => {
      jobs.push({ signal: attempt.signal, number: attempt.number, resolve, reject });
    });
  return { runtime, policy, jobs, work };
}

/** What became of a promise, once it is known. */
export function watch<T>(promise: Promise<T>): { value?: T; error?: unknown; done: boolean } {
  const seen: { value?: T; error?: unknown; done: boolean } = { done: false };
  promise.then(
    (value) => Object.assign(seen, { value, done: true }),
    (error) => Object.assign(seen, { error, done: true }),
  );
  return seen;
}
