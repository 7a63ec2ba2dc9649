#!/usr/bin/env node
import { rmSync } from 'node:fs';
import { loadSettings, readEnvironment } from '@souk/config';
import { fromUnknown, systemRuntime } from '@souk/kernel';
import { createTelemetryHub } from '@souk/telemetry';
import { readLaunch, writePidFile } from './launcher.ts';
import { createRegistryServer } from './registry-server.ts';
import { registrySettings } from './settings.ts';

const runtime = systemRuntime();
try {
  await main();
} catch (thrown) {
  console.error(fromUnknown(thrown).message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const launch = readLaunch(process.argv.slice(2));
  const { values } = loadSettings({
    sections: { registry: registrySettings },
    env: readEnvironment(),
    flags: launch.settings,
  });
  const settings = {
    ...values.registry,
    nodeName: launch.nodeName ?? values.registry.nodeName,
    datacenter: launch.datacenter ?? values.registry.datacenter,
    advertise: launch.advertise ?? values.registry.advertise,
    scriptChecks: launch.scriptChecks || values.registry.scriptChecks,
  };
  const hub = createTelemetryHub({ runtime, format: settings.logFormat });
  const { log, metrics } = hub.forService('registry');
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      await registry.stop();
      if (launch.pidFile !== undefined) rmSync(launch.pidFile, { force: true });
      await hub.close();
    })();
    return stopping;
  };
  const registry = createRegistryServer({
    ...{ runtime, log, metrics, exposition: hub.exposition, folder: launch.folder, settings },
    http: { host: launch.httpHost, port: launch.httpPort },
    dns: launch.dnsPort === undefined ? undefined : { host: launch.httpHost, port: launch.dnsPort },
    // The answer to whoever asked goes out first.
    onLeave: () => void runtime.timers.after(50, () => void stop()),
  });
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
  try {
    const { httpUrl, dnsPort } = await registry.start();
    if (launch.pidFile !== undefined) writePidFile(launch.pidFile, process.pid);
    console.log(dnsPort === undefined ? httpUrl : `${httpUrl} dns ${launch.httpHost}:${dnsPort}`);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}
