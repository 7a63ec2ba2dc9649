import { after, before } from 'node:test';
import type { Registry } from '@souk/discovery';
import { type RegistryWorld, registrySuite } from '@souk/discovery/conformance';
import { etcdServer } from '../../../tests/support/programs.ts';
import { type TcpProxy, tcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { createEtcdRegistry } from '../src/index.ts';
import { flags, runtime } from './world.ts';

const server = await etcdServer(flags);
before(() => server.start());
after(() => server.close());

/** Each registry has a wire of its own, which is cut when it is killed. */
async function makeWorld(): Promise<RegistryWorld> {
  // Made ahead, since a registry is made at once.
  const spare = await Promise.all(Array.from({ length: 5 }, () => tcpProxy(server.port)));
  const wires = [...spare];
  const wireOf = new Map<Registry, TcpProxy>();
  return {
    runtime,
    can: { crossProcess: true, registers: true },
    registry: () => {
      const wire = spare.pop();
      if (wire === undefined) throw new Error('the case wants more registries than there are wires');
      const quick = { ttlMs: 2000, callMs: 500, patienceMs: 1000, pingMs: 1000 };
      const registry = createEtcdRegistry({ hosts: [`http://127.0.0.1:${wire.port}`], runtime, ...quick });
      wireOf.set(registry, wire);
      return registry;
    },
    pass: (ms) => runtime.timers.sleep(ms),
    kill: async (registry) => {
      wireOf.get(registry)?.refuse(true);
      wireOf.get(registry)?.cut();
    },
    interrupt: () => server.kill(),
    restore: () => server.start(),
    loseMemory: async () => {
      await server.kill();
      await server.wipe();
      await server.start();
    },
    close: async () => {
      await Promise.all(wires.map((wire) => wire.close()));
    },
  };
}

registrySuite('etcd', makeWorld);
