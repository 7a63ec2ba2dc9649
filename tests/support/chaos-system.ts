// Two shops on one PostgreSQL and one payment provider, all in processes of their own, and ways to hurt them.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEmbeddedPostgres, type EmbeddedAddress } from '@souk/adapter-embedded-postgres';
import { toUrl } from '@souk/adapter-postgres';
import { rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import { fillFolder } from './cluster-cache.ts';
import { connectTo } from './database.ts';
import { ADMIN_PASSWORD } from './shop.ts';
import { endLeftBehind, postmasterOf, type Running, repository, scratchFolder, startNode } from './shop-process.ts';
import { type TcpProxy, tcpProxy } from './tcp-proxy.ts';

export interface ChaosShop {
  readonly name: string;
  readonly url: string;
  readonly alive: boolean;
  start(): Promise<void>;
  kill9(): Promise<void>;
  /** Stops the whole process, as a machine does that swaps or migrates, and lets it go on. */
  freeze(ms: number): Promise<void>;
  /** Holds back what it says to PostgreSQL: what was under way arrives long after the shop has given it up. */
  stall(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export interface ChaosSystem {
  readonly shops: readonly ChaosShop[];
  /** Where the provider keeps its book. */
  readonly folder: string;
  readonly adminPassword: string;
  /** A statement in a service's database, as the administrator of the server. */
  query<TRow>(service: string, sql: string, values?: readonly unknown[]): Promise<TRow[]>;
  /** @param how `immediate`: as after a power cut; `fast`: in good order. It is away for `ms`. */
  restartPostgres(how: 'SIGKILL' | 'SIGQUIT' | 'SIGINT', ms: number): Promise<void>;
  /** Lines that the shops logged as errors. */
  faults(): readonly string[];
  stop(): Promise<void>;
}

/** One way to PostgreSQL: the second shop is far away, so that the first overtakes it. */
const WIRE_MS = [1, 12];
const API_KEY = 'chaos-api-key-0123456789';
const WEBHOOK_SECRET = 'chaos-webhook-secret-0123456789';

export async function startChaosSystem(args: readonly string[], seed: number): Promise<ChaosSystem> {
  const folder = scratchFolder();
  const runtime = systemRuntime();
  await fillFolder(folder, runtime);
  // Two whole shops: each has a pool per service.
  const embedded = createEmbeddedPostgres({ folder, runtime, log: silentLogger, settings: { max_connections: 300 } });
  const admin: EmbeddedAddress = await embedded.start();
  const proxies = [
    await tcpProxy(join(admin.host, `.s.PGSQL.${admin.port}`)),
    await tcpProxy(join(admin.host, `.s.PGSQL.${admin.port}`)),
  ];

  const ports = [await freePort(), await freePort()];
  const provider = startNode([join(repository, 'apps/payment-provider/src/main.ts')], {
    cwd: folder,
    env: {
      PROVIDER_FILE: join(folder, 'payment-provider.sqlite'),
      PROVIDER_API_KEY: API_KEY,
      PROVIDER_WEBHOOK_URL: `http://127.0.0.1:${ports[0]}/api/v1/webhooks/payments/simulator`,
      PROVIDER_WEBHOOK_SECRET: WEBHOOK_SECRET,
      PROVIDER_WEBHOOK_TWICE: 'true',
    },
  });
  const providerUrl = (await provider.says(/^(http:\S+)$/m))[1] as string;

  const faults: string[] = [];
  const shops = ports.map((port, index) =>
    chaosShop(`shop ${index + 1}`, port, faults, proxies[index] as TcpProxy, () =>
      startNode([join(repository, 'tests/support/chaos-worker.ts'), ...args], {
        cwd: folder,
        env: {
          PORT: String(port),
          SOUK_DATA: folder,
          DATABASE_URL: toUrl({ ...admin, host: '127.0.0.1', port: proxies[index]?.port ?? 0 }),
          SOUK_ADMIN_PASSWORD: ADMIN_PASSWORD,
          PROVIDER_EMBEDDED: 'false',
          PAYMENTS_PROVIDER_URL: providerUrl,
          PAYMENTS_PROVIDER_API_KEY: API_KEY,
          PAYMENTS_WEBHOOK_SECRETS: WEBHOOK_SECRET,
          CHAOS_SEED: String(seed + index),
        },
      }),
    ),
  );
  for (const [index, proxy] of proxies.entries()) proxy.delay(WIRE_MS[index] ?? 0);
  // One after the other: the first fills the catalog.
  for (const shop of shops) await shop.start();

  return {
    shops,
    folder,
    adminPassword: ADMIN_PASSWORD,
    query: async <TRow>(service: string, sql: string, values: readonly unknown[] = []) => {
      const db = connectTo({ ...admin, database: `souk_${service}` }, runtime);
      try {
        return (await db.at(rootContext({ runtime })).query<TRow & Record<string, unknown>>(sql, values)).rows;
      } finally {
        await db.close();
      }
    },
    restartPostgres: async (how, ms) => {
      const pid = postmasterOf(folder);
      if (how !== 'SIGINT') {
        // The embedded server notices, and starts it again.
        if (pid !== undefined) process.kill(pid, how);
        await sleep(ms);
        return;
      }
      await embedded.stop();
      await sleep(ms);
      await embedded.start();
    },
    faults: () => faults,
    stop: async () => {
      await Promise.all(shops.map((shop) => shop.stop()));
      provider.signal('SIGTERM');
      await provider.exit;
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await embedded.stop();
      await endLeftBehind(folder);
    },
  };
}

function chaosShop(name: string, port: number, faults: string[], proxy: TcpProxy, launch: () => Running): ChaosShop {
  let running: Running | undefined;
  const noteFaults = (): void => {
    for (const line of running?.output().split('\n') ?? [])
      if (line.includes('"level":50') || !/^(\{|The shop|$)/.test(line)) faults.push(`${name}: ${line.slice(0, 600)}`);
  };
  const ended = async (): Promise<void> => {
    await running?.exit;
    noteFaults();
    running = undefined;
  };
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    get alive() {
      return running !== undefined;
    },
    start: async () => {
      for (let attempt = 1; ; attempt++) {
        running = launch();
        try {
          await running.says(/The shop is open/, 60_000);
          return;
        } catch (error) {
          // PostgreSQL may be away just now.
          running.signal('SIGKILL');
          await ended();
          if (attempt === 5) throw error;
          await sleep(1_000);
        }
      }
    },
    kill9: async () => {
      running?.signal('SIGKILL');
      await ended();
    },
    freeze: async (ms) => {
      running?.signal('SIGSTOP');
      await sleep(ms);
      running?.signal('SIGCONT');
    },
    stall: async (ms) => {
      // Answers still come, so that every saga that is at work says its next word into the void.
      proxy.stall('client');
      await sleep(ms);
      proxy.flow();
    },
    stop: async () => {
      running?.signal('SIGTERM');
      await ended();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
