import { addGrpcHealth, addGrpcReflection, grpcHandler } from '@souk/adapter-grpc';
import { NotificationService } from '@souk/contracts/notifications/v1/notifications';
import { AuthService } from '@souk/contracts/users/v1/users';
import type { Host, HttpHandler } from '@souk/host';
import type { Context, Runtime } from '@souk/kernel';
import { createHttpHandler } from '@souk/rpc';
import { createTokenVerifier } from '@souk/security';
import type { TelemetryHub } from '@souk/telemetry';
import { ensureOperatorToken } from '../operator-token.ts';
import type { ShopSettings } from '../settings.ts';
import { withAffinity } from './affinity.ts';
import { createAuthenticate } from './authenticate.ts';
import { isFromThisMachine } from './from-this-machine.ts';
import { shopPages } from './shop-pages.ts';

export interface EdgeOptions {
  readonly host: Host;
  readonly settings: ShopSettings;
  readonly folder: string;
  readonly runtime: Runtime;
  readonly telemetry: TelemetryHub;
  /** A context of the shop itself. */
  readonly context: () => Context;
}

const MAILBOX_SIZE = 100;

/** Where the outside meets the services: signs callers in, serves calls and pages. Made when all services are there. */
export function createEdge(options: EdgeOptions): HttpHandler {
  const { host, settings, runtime, telemetry, context } = options;
  const own = telemetry.forService('edge');
  const auth = host.client(AuthService, 'edge');
  const mailbox = host.client(NotificationService, 'edge');
  const verifier = createTokenVerifier({
    runtime,
    log: own.log,
    issuer: settings.users.issuer,
    audience: settings.users.audience,
    fetchKeys: async () => {
      using ctx = context();
      const { keys } = await auth.getJwks(ctx, {});
      return keys as never;
    },
  });
  const readMailbox = async () => {
    using ctx = context();
    return (await mailbox.listMailbox(ctx, { pageSize: MAILBOX_SIZE })).messages;
  };
  const { router } = host;
  const isReady = () => ['starting', 'running'].includes(host.lifecycle.state);
  addGrpcReflection({ router });
  addGrpcHealth({ router, runtime, isServing: isReady });
  const handler = createHttpHandler({
    router,
    framings: [grpcHandler({ router })],
    policies: host.policies,
    runtime,
    telemetry: own,
    authenticate: createAuthenticate(verifier, ensureOperatorToken(options.folder, runtime.random)),
    protocols: [
      shopPages({
        isReady,
        busState: () => host.busHealth().state,
        exposition: () => telemetry.exposition(),
        readMailbox: showsDevPages(settings) ? readMailbox : undefined,
        mayReadMailbox: settings.http.devPages === 'on' ? () => true : isFromThisMachine,
      }),
    ],
  });
  return withAffinity(handler, settings.http.affinity);
}

/** Such pages show personal data to whoever reaches them. */
function showsDevPages({ http }: ShopSettings): boolean {
  const onlyHere = ['127.0.0.1', '::1', 'localhost'].includes(http.host);
  return http.devPages === 'on' || (http.devPages === 'auto' && onlyHere);
}
