// A payment provider outside of the shop, that a test can take away, slow down and audit.

import { join } from 'node:path';
import { createPaymentProvider, type PaymentProvider, providerSettings } from '@souk/app-payment-provider';
import { loadSettings } from '@souk/config';
import { systemRuntime } from '@souk/kernel';
import { scratchFolder } from './shop-process.ts';

export interface OutsideProvider extends Pick<PaymentProvider, 'faults' | 'inspect' | 'stop'> {
  /** Where its ledger is, as the audit wants it. */
  readonly folder: string;
  /** Settings of a shop that pays here. */
  readonly args: readonly string[];
}

const API_KEY = 'a-key-of-the-test';

/** Listens on a free port. It sends no events: what it has done is told in its answers. */
export async function outsideProvider(): Promise<OutsideProvider> {
  const folder = scratchFolder();
  const { values } = loadSettings({
    sections: { provider: providerSettings },
    flags: [`--provider.api-key=${API_KEY}`, `--provider.file=${join(folder, 'payment-provider.sqlite')}`],
  });
  const provider = createPaymentProvider({ runtime: systemRuntime(), settings: values.provider });
  const { url } = await provider.start();
  return {
    faults: provider.faults,
    inspect: provider.inspect,
    stop: provider.stop,
    folder,
    args: ['--provider.embedded=false', `--payments.provider-url=${url}`, `--payments.provider-api-key=${API_KEY}`],
  };
}
