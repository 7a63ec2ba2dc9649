import type { Runtime } from '@souk/kernel';
import type { Handlers, Router } from '@souk/rpc';
import { grpcErrors } from './errors.ts';
import { Health, SERVING_STATUS, type ServingStatus } from './grpc-contracts.ts';

export interface GrpcHealthOptions {
  readonly router: Router;
  readonly runtime: Runtime;
  /**
   * Whether calls are welcome: false while the process starts and stops.
   * @param service Full protobuf name; undefined: the process as a whole.
   */
  readonly isServing: (service: string | undefined) => boolean;
  /** How often a watcher's answer is looked at again, in milliseconds. @default 500 */
  readonly watchEveryMs?: number;
}

const WATCH_EVERY_MS = 500;

/** Answers gRPC clients that ask how this server is. Anybody may ask. */
export function addGrpcHealth(options: GrpcHealthOptions): void {
  const { router, runtime, isServing, watchEveryMs = WATCH_EVERY_MS } = options;
  const statusOf = (service: string): ServingStatus => {
    if (service !== '' && !servesService(router, service)) return SERVING_STATUS.SERVICE_UNKNOWN;
    return isServing(service || undefined) ? SERVING_STATUS.SERVING : SERVING_STATUS.NOT_SERVING;
  };
  const handlers: Handlers<typeof Health> = {
    check: async (_ctx, { service }) => {
      const status = statusOf(service);
      if (status === SERVING_STATUS.SERVICE_UNKNOWN) throw grpcErrors.UNKNOWN_SERVICE();
      return { status };
    },
    watch: async function* (ctx, { service }) {
      let told: ServingStatus | undefined;
      for (;;) {
        const status = statusOf(service);
        if (status !== told) yield { status };
        told = status;
        await runtime.timers.sleep(watchEveryMs, ctx.signal);
      }
    },
  };
  router.add(Health, handlers, { rules: { access: 'public', criticality: 'critical_plus' } });
}

/** Services may be added while the server runs. */
function servesService({ methods, streams }: Router, service: string): boolean {
  const isOf = (name: string): boolean => name.startsWith(service) && name[service.length] === '/';
  return [...methods.keys(), ...streams.keys()].some(isOf);
}
