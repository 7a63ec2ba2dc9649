import { ANONYMOUS, fromUnknown } from '@souk/kernel';
import type { Router } from './router.ts';
import type { Transport } from './wire.ts';
import { fromWireError, toWireError } from './wire-error.ts';

/**
 * Carries calls to a router in the same process. Messages are encoded and decoded, deadlines shrink and errors lose their cause as
 * they would between processes, so that a service cannot tell the difference.
 */
export function createInProcessTransport(router: Router): Transport {
  return {
    send: async (request) => {
      try {
        return await router.handle(request, request.caller ?? ANONYMOUS);
      } catch (thrown) {
        throw withoutCause(thrown);
      }
    },
    stream: async function* (request) {
      try {
        yield* router.handleStream(request, request.caller ?? ANONYMOUS);
      } catch (thrown) {
        throw withoutCause(thrown);
      }
    },
  };
}

const withoutCause = (thrown: unknown) => fromWireError(toWireError(fromUnknown(thrown)));
