#!/usr/bin/env node
import { loadSettings, readEnvironment } from '@souk/config';
import { fromUnknown, systemRuntime } from '@souk/kernel';
import { createTelemetryHub } from '@souk/telemetry';
import { createPaymentProvider } from './payment-provider.ts';
import { providerSettings } from './settings.ts';

const runtime = systemRuntime();
const hub = createTelemetryHub({ runtime });
const { log } = hub.forService('payment-provider');
try {
  const { values } = loadSettings({
    sections: { provider: providerSettings },
    env: readEnvironment(),
    flags: process.argv.slice(2),
  });
  const provider = createPaymentProvider({ runtime, settings: values.provider, log });
  const { url } = await provider.start();
  console.log(url);
  const stop = async (): Promise<void> => {
    await provider.stop();
    await hub.close();
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
} catch (thrown) {
  console.error(fromUnknown(thrown).message);
  await hub.close();
  process.exitCode = 1;
}
