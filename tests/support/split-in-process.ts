// A split shop whose processes are all in the process of the test: each with its own ports, databases, policies and metrics, found through a real
// registry and called over HTTP, but within reach of the test's interceptors.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import {
  createInfrastructure,
  createMember,
  createOthers,
  type Member,
  type Shop,
  type ShopOptions,
  splitTopology,
  stockShop,
} from '@souk/app-souk';
import { createLifecycle, silentLogger } from '@souk/kernel';
import { randomToken } from '@souk/security';
import { createTelemetryHub } from '@souk/telemetry';

export function createSplitInProcess(options: ShopOptions): Shop {
  const { runtime, folder, telemetry, services: extra = [] } = options;
  const calls = { ...options.settings.calls, key: randomToken(runtime.random), drainDelay: 100 };
  const topology = { ...options.settings.topology, registryPort: 0, dnsPort: 0 };
  const given = { ...options.settings, calls, topology };
  const lifecycle = createLifecycle({ runtime, log: silentLogger });
  const names = ['users', 'catalog', 'inventory', 'orders', 'payments', 'shipping', 'loyalty', 'notifications'];
  const { processes } = splitTopology([...names, ...extra.map(({ name }) => name)]);
  let url = '';
  let outside: Member['outside'];
  // As in a split shop, the port is there before the processes are: connections are handed on.
  const door = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    if (outside === undefined) socket.destroy();
    else outside.accept(socket);
  });
  lifecycle.add({
    name: 'port',
    start: async () => {
      await once(door.listen(0, '127.0.0.1'), 'listening');
      url = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
    },
    stop: async () => void door.close(),
  });
  const infrastructure = createInfrastructure({
    settings: given,
    folder,
    runtime,
    telemetry,
    serviceUrls: {},
    services: [...names, ...extra.map(({ name }) => name)],
    processes: processes.length,
    shopUrl: () => url,
    lifecycle,
    onProgress: () => {},
  });
  const members: Member[] = [];
  const hubs = processes.map(() => createTelemetryHub({ runtime, level: 'error', format: 'json' }));

  const memberOf = (plan: (typeof processes)[number], index: number): Member => {
    const variables = infrastructure.variablesOf(plan);
    const serviceUrls = Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => {
        const service = /^(\w+)_DATABASE_URL$/.exec(name)?.[1];
        return service === undefined ? [] : [[service.toLowerCase(), value] as const];
      }),
    );
    const provider =
      variables.PAYMENTS_PROVIDER_URL === undefined
        ? {}
        : {
            providerUrl: variables.PAYMENTS_PROVIDER_URL,
            providerApiKey: variables.PAYMENTS_PROVIDER_API_KEY,
            webhookSecrets: variables.PAYMENTS_WEBHOOK_SECRETS,
          };
    return createMember({
      settings: {
        ...given,
        store: { ...given.store, databaseUrl: undefined },
        bus: { ...given.bus, transport: variables.SOUK_BUS ?? given.bus.transport },
        discovery: { ...given.discovery, registry: infrastructure.registryUrl },
        payments: { ...given.payments, ...provider } as typeof given.payments,
      },
      folder,
      runtime,
      telemetry: hubs[index] as (typeof hubs)[number],
      serviceUrls,
      roles: [...plan.services, ...(plan.operator ? ['operator'] : []), ...(plan.edge ? ['edge'] : [])],
      instance: `${plan.name}-1`,
      interceptors: plan.edge ? [] : (options.interceptors ?? []),
      ...(options.aroundBus && { aroundBus: options.aroundBus }),
      services: extra,
    });
  };

  lifecycle.add({
    name: 'members',
    start: async () => {
      members.push(...processes.map(memberOf));
      const facts = await Promise.all(members.map((member) => member.start()));
      writeFileSync(join(folder, 'processes.json'), JSON.stringify(facts.map((one) => one.url)));
      outside = members.find((member) => member.outside !== undefined)?.outside;
    },
    stop: async () => {
      door.close();
      const isEdge = (member: Member) => member.outside !== undefined;
      await Promise.all(members.filter(isEdge).map((member) => member.stop()));
      await Promise.all(members.filter((member) => !isEdge(member)).map((member) => member.stop()));
      await Promise.all(hubs.map((hub) => hub.close()));
    },
    stopTimeoutMs: 60_000,
  });
  return {
    start: async () => {
      await lifecycle.start();
      const own = telemetry.forService('souk');
      const others = createOthers({
        settings: { ...given, discovery: { ...given.discovery, registry: infrastructure.registryUrl } },
        callsKey: calls.key,
        runtime,
        telemetry: own,
        folder: join(folder, 'discovery'),
        instance: 'test',
      });
      try {
        const facts = await stockShop(others, { runtime, telemetry: own, settings: given, onProgress: () => {} });
        return { ...facts, url, database: infrastructure.describeDatabase() };
      } finally {
        await others.close();
      }
    },
    stop: () => lifecycle.stop(),
  };
}
