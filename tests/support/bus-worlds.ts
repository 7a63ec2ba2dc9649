// Worlds for `busSuite` around a real broker: every client reaches it over a wire of its own.

import { type Runtime, systemRuntime } from '@souk/kernel';
import type { Bus } from '@souk/messaging';
import type { BusWorld } from '@souk/messaging/conformance';
import type { Broker } from './brokers.ts';
import { type TcpProxy, tcpProxy } from './tcp-proxy.ts';

/** Clients that a case makes at most. */
const WIRES = 6;

/**
 * @param makeBus A new client that reaches the broker at `port`, not started.
 * @param settleMs How long the broker needs to have what was declared on disk; it is not killed before.
 */
export async function brokerWorld(
  broker: Broker,
  makeBus: (runtime: Runtime, port: number) => Bus,
  settleMs = 0,
): Promise<Required<BusWorld>> {
  const runtime = systemRuntime();
  const wires = await Promise.all(Array.from({ length: WIRES }, () => tcpProxy(broker.port)));
  const unused = [...wires];
  const used = new Map<Bus, TcpProxy>();
  return {
    runtime,
    bus: () => {
      const wire = unused.pop();
      if (wire === undefined) throw new Error(`a case has more than ${WIRES} clients`);
      const bus = makeBus(runtime, wire.port);
      used.set(bus, wire);
      return bus;
    },
    pass: (ms) => runtime.timers.sleep(ms),
    kill: async (bus) => {
      const wire = used.get(bus);
      wire?.refuse(true);
      wire?.cut();
      // What it was handling may never end, so nobody waits for it.
      void bus.close();
    },
    restartBroker: async () => {
      await runtime.timers.sleep(settleMs);
      await broker.kill();
      await broker.start();
    },
    cutConnections: async () => {
      for (const wire of wires) wire.cut();
    },
    slow: async (ms) => {
      for (const wire of wires) wire.delay(ms);
    },
    close: async () => {
      await Promise.all(wires.map((wire) => wire.close()));
    },
  };
}
