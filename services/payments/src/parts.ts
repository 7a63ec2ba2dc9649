import type { Deps } from '@souk/service';
import type { calls, PaymentsSettings } from './deps.ts';
import { providerPolicy } from './provider/guarded-exchange.ts';
import { createHttpProvider } from './provider/http-provider.ts';
import type { PaymentProvider } from './provider.ts';
import { createPursue, type Pursue } from './usecases/pursue.ts';
import { createSettle, type Settle } from './usecases/settle-charge.ts';

/** What the service is given before its parts are made. */
export type PartsDeps = Deps<typeof calls, PaymentsSettings, undefined>;

/** What handlers, consumers and jobs share. */
export interface PaymentsParts {
  readonly provider: PaymentProvider;
  readonly settle: Settle;
  readonly pursue: Pursue;
}

export function createParts(deps: PartsDeps): PaymentsParts {
  const { runtime, settings } = deps;
  const provider = createHttpProvider({
    runtime,
    name: settings.providerName,
    url: settings.providerUrl,
    apiKey: settings.providerApiKey ?? '',
    connectMs: settings.connectTimeout,
    totalMs: settings.callTimeout,
    maxSockets: settings.maxConnections,
    policy: providerPolicy(deps.policies),
  });
  deps.onStop(async () => provider.close());
  const settle = createSettle(deps);
  return { provider, settle, pursue: createPursue(deps, provider, settle) };
}
