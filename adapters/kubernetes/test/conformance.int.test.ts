import { type RegistryWorld, registrySuite } from '@souk/discovery/conformance';
import { createKubernetesRegistry } from '../src/index.ts';
import { apiServer } from './api-server.ts';
import { runtime } from './world.ts';

async function makeWorld(): Promise<RegistryWorld> {
  const server = await apiServer();
  return {
    runtime,
    // Kubernetes does it.
    can: { crossProcess: true, registers: false },
    registry: () => createKubernetesRegistry({ apiUrl: server.url, namespace: 'shop', runtime }),
    pass: (ms) => runtime.timers.sleep(ms),
    interrupt: () => server.down(),
    restore: () => server.up(),
    close: () => server.close(),
  };
}

registrySuite('kubernetes', makeWorld);
