import type { Settings } from '@souk/config';
import type { Deps } from '@souk/service';
import type { paymentsSettings } from './config.ts';
import type { PaymentsParts } from './parts.ts';

/** Payments asks no other service. */
export const calls = {} as const;

export type PaymentsSettings = Settings<typeof paymentsSettings>;

export type PaymentsDeps = Deps<typeof calls, PaymentsSettings, PaymentsParts>;
