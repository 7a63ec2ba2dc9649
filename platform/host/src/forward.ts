import type { DescService } from '@bufbuild/protobuf';
import type { Context } from '@souk/kernel';
import { type ClientOptions, createClient, type Handlers, type Transport } from '@souk/rpc';

/** As long as the longest call that a server lets run: whoever asks here sets the time. */
const LONGEST_MS = 30_000;

/**
 * Handlers that pass each call on to where the service runs, with the deadline, trace, idempotency key and caller it came with: who is on the way adds
 * nothing to what a caller may do.
 */
export function forwarding<TService extends DescService>(
  service: TService,
  transport: Transport,
  options: Omit<ClientOptions, 'callerService' | 'defaultTimeoutMs'>,
): Handlers<TService> {
  const client = createClient(service, transport, { ...options, defaultTimeoutMs: LONGEST_MS });
  const methods = client as unknown as Readonly<Record<string, (ctx: Context, request: unknown) => unknown>>;
  const handlers = service.methods.map(({ localName }) => {
    const method = methods[localName] as (ctx: Context, request: unknown) => unknown;
    return [localName, (ctx: Context, request: unknown) => method(ctx, request)] as const;
  });
  return Object.fromEntries(handlers) as unknown as Handlers<TService>;
}
