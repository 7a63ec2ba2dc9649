// A shop in the process of the test, in which methods and consumers can be made to refuse, to be away, to be slow or to wait, and mended again.

import { createShop, loadShopSettings } from '@souk/app-souk';
import { SagaStuckSchema } from '@souk/contracts/admin/v1/events';
import { OrderConfirmedSchema } from '@souk/contracts/orders/v1/events';
import { defineErrors, systemRuntime } from '@souk/kernel';
import { on } from '@souk/messaging';
import type { Interceptor } from '@souk/rpc';
import { type Deps, defineService } from '@souk/service';
import { createTelemetryHub } from '@souk/telemetry';
import { fillFolder } from './cluster-cache.ts';
import { createGates, type Gates } from './gates.ts';
import { ADMIN_PASSWORD, soukCommand, topology } from './shop.ts';
import { type Running, scratchFolder, startNode } from './shop-process.ts';
import { createSplitInProcess } from './split-in-process.ts';

const troubles = defineErrors('TROUBLE', {
  AWAY: { code: 'unavailable', text: '{what} is away, as the test wants it', retry: 'later' },
  REFUSED: { code: 'failed_precondition', text: '{what} refuses, as the test wants it' },
});

export interface StuckSaga {
  readonly sagaId: string;
  readonly service: string;
  readonly step: string;
  readonly reason: string;
}

export interface TroubledShop {
  readonly url: string;
  readonly folder: string;
  readonly adminPassword: string;
  /** Full names of methods that refuse everything. */
  readonly refusing: Set<string>;
  /** Full names of methods, or of services (`souk.shipping.v1.ShippingService`), that cannot be reached. */
  readonly away: Set<string>;
  /** Milliseconds by which methods take longer, by full name. */
  readonly slow: Map<string, number>;
  readonly hold: Gates['hold'];
  /** Ids of orders that the service `watcher` has heard to be confirmed. */
  readonly heard: string[];
  /** What operators were told of sagas that are stuck. */
  readonly told: StuckSaga[];
  /** Makes `watcher` refuse what it hears, for good. */
  setDeaf(deaf: boolean): void;
  /** Runs `souk` as the operator of this shop. */
  souk(...args: string[]): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  stop(): Promise<void>;
}

/** @param args Further settings: `--payments.call-timeout=300ms`. */
export async function startTroubledShop(args: readonly string[] = []): Promise<TroubledShop> {
  const folder = scratchFolder();
  const runtime = systemRuntime();
  await fillFolder(folder, runtime);
  const refusing = new Set<string>();
  const away = new Set<string>();
  const slow = new Map<string, number>();
  const gates = createGates();
  const heard: string[] = [];
  const told: StuckSaga[] = [];
  let deaf = false;

  const refuse: Interceptor = (next) => (call) => {
    const { method } = call;
    const [service = ''] = method.split('/');
    if (refusing.has(method)) return Promise.reject(troubles.REFUSED({ what: method }));
    if (away.has(method) || away.has(service)) return Promise.reject(troubles.AWAY({ what: service }));
    const delayMs = slow.get(method);
    return delayMs === undefined ? next(call) : runtime.timers.sleep(delayMs).then(() => next(call));
  };

  const watcher = defineService({
    name: 'watcher',
    serves: [],
    consumes: [
      on(OrderConfirmedSchema, (_deps: Deps) => async (_ctx, { orderId }) => {
        if (deaf) throw troubles.REFUSED({ what: 'watcher' });
        heard.push(orderId);
      }),
      on(SagaStuckSchema, (_deps: Deps) => async (_ctx, { sagaId, service, step, reason }) => {
        told.push({ sagaId, service, step, reason });
      }),
    ],
    start: () => ({}),
  });

  const { values } = await loadShopSettings([
    `--store.data=${folder}`,
    '--users.password-memory=8',
    '--users.password-passes=1',
    '--demo.products=0',
    '--http.port=0',
    ...args,
  ]);
  const admin = { ...values.admin, password: ADMIN_PASSWORD };
  const telemetry = createTelemetryHub({ runtime, level: 'error', format: 'json' });
  const create = topology === 'split' ? createSplitInProcess : createShop;
  const shop = create({
    settings: { ...values, admin },
    folder,
    runtime,
    telemetry,
    interceptors: [refuse, gates.interceptor],
    aroundBus: gates.around,
    services: [watcher],
  });
  const { url } = await shop.start();

  return {
    url,
    folder,
    adminPassword: ADMIN_PASSWORD,
    refusing,
    away,
    slow,
    hold: gates.hold,
    heard,
    told,
    setDeaf: (value) => {
      deaf = value;
    },
    souk: async (...args) => {
      const command: Running = startNode([soukCommand, ...args, '--url', url], {
        cwd: scratchFolder(),
        env: { SOUK_DATA: folder },
      });
      const { code } = await command.exit;
      return { code, stdout: command.stdout(), stderr: command.stderr() };
    },
    stop: async () => {
      await shop.stop();
      await telemetry.close();
    },
  };
}
