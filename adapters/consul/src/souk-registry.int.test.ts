// The suite of all registries against our own, as a process: the same HTTP API over real sockets, and it can be killed.

import { after, before } from 'node:test';
import type { Registry } from '@souk/discovery';
import { registrySuite } from '@souk/discovery/conformance';
import { silentLogger, systemRuntime } from '@souk/kernel';
import { type TcpProxy, tcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { registryProcess } from '../test/registry-process.ts';
import { createConsulRegistry } from './consul-registry.ts';

/** Registries that a case makes at most. */
const WIRES = 4;

const runtime = systemRuntime();
const server = registryProcess();

before(server.start);
after(server.kill);

registrySuite('consul against our registry', async () => {
  const wires = await Promise.all(Array.from({ length: WIRES }, () => tcpProxy(server.port)));
  const unused = [...wires];
  const used = new Map<Registry, TcpProxy>();
  return {
    runtime,
    can: { registers: true, crossProcess: true },
    registry: () => {
      const wire = unused.pop();
      if (wire === undefined) throw new Error(`a case has more than ${WIRES} registries`);
      const url = `http://127.0.0.1:${wire.port}`;
      const registry = createConsulRegistry({
        ...{ url, runtime, log: silentLogger },
        ...{ ttlMs: 3000, requestMs: 1000, patienceMs: 1000 },
      });
      used.set(registry, wire);
      return registry;
    },
    pass: async (ms) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
    },
    kill: async (registry) => {
      const wire = used.get(registry);
      wire?.refuse(true);
      wire?.cut();
    },
    interrupt: async () => {
      for (const wire of wires) {
        wire.refuse(true);
        wire.cut();
      }
    },
    restore: async () => {
      for (const wire of wires) wire.refuse(false);
    },
    loseMemory: async () => {
      await server.kill();
      await server.start();
    },
    close: async () => {
      await Promise.all(wires.map((wire) => wire.close()));
    },
  };
});
