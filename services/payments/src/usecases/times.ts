import type { PaymentsDeps } from '../deps.ts';
import type { Times } from '../store/payment-repository.ts';

/** Now, and when a sweeper may take up what is begun now. */
export function times({ runtime, settings }: PaymentsDeps): Times {
  const now = runtime.clock.now();
  return { now: new Date(now), resumeAt: new Date(now + settings.resumeAfter) };
}
