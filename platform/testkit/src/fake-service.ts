import type { DescService, MessageShape } from '@bufbuild/protobuf';
import { type Context, type Runtime, rootContext } from '@souk/kernel';
import { type Client, createClient, createInProcessTransport, createRouter, type Handlers } from '@souk/rpc';
import { silentTelemetry } from '@souk/telemetry';
import { testkitErrors } from './errors.ts';

/** A call that reached a fake. */
export interface FakeCall {
  /** `reserveStock` */
  readonly method: string;
  readonly request: MessageShape<DescService['methods'][number]['input']>;
  readonly idempotencyKey: string | undefined;
}

export interface FakeServiceOptions {
  readonly runtime: Runtime;
  /** The service that calls. */
  readonly callerService: string;
  /** Hears every call before it is answered. */
  readonly onCall?: (call: FakeCall) => void;
}

/**
 * A client of a service that is not there. Calls are encoded, checked against the contract and decoded as with the real one.
 *
 * @param handlers Answers by method; read at each call, so a test may change them. Any other call fails with TESTKIT_UNEXPECTED_CALL.
 */
export function fakeService<TService extends DescService>(
  service: TService,
  handlers: Partial<Handlers<TService>>,
  options: FakeServiceOptions,
): Client<TService> {
  const { runtime, callerService, onCall = () => {} } = options;
  const telemetry = silentTelemetry(runtime, service.name);
  const router = createRouter({ runtime, telemetry, validateResponses: true });
  const given = handlers as Readonly<Record<string, (ctx: Context, request: unknown) => Promise<unknown>>>;
  const all = service.methods.map(({ localName: method }) => {
    const handle = async (ctx: Context, request: FakeCall['request']): Promise<unknown> => {
      onCall({ method, request, idempotencyKey: ctx.idempotencyKey });
      const answer = given[method];
      if (answer === undefined) throw testkitErrors.UNEXPECTED_CALL({ method: `${service.typeName}/${method}` });
      return answer(ctx, request);
    };
    return [method, handle] as const;
  });
  router.add(service, Object.fromEntries(all) as never);
  return createClient(service, createInProcessTransport(router), { runtime, telemetry, callerService });
}

/** Contexts of those who call, without a deadline. */
export const callersOf = (runtime: Runtime) => ({
  nobody: rootContext({ runtime, caller: { roles: [] } }),
  user: (userId: string): Context => rootContext({ runtime, caller: { userId, roles: ['customer'] } }),
  admin: rootContext({
    runtime,
    caller: { userId: 'usr_01890000-0000-7000-8000-0000000000ad', roles: ['customer', 'admin'] },
  }),
  service: (service: string): Context => rootContext({ runtime, caller: { roles: [], service } }),
});
