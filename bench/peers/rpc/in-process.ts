// Calls between two services of one process.

import { rootContext, systemRuntime } from '@souk/kernel';
import { createPolicyRegistry } from '@souk/resilience';
import { createClient, createInProcessTransport, createRouter } from '@souk/rpc';
import { silentTelemetry } from '@souk/telemetry';
import { EchoService, measureCalls, readRpcOrder, TIMEOUT_MS } from '../../lib/echo.ts';

const runtime = systemRuntime();
const telemetry = silentTelemetry(runtime, 'bench');
const router = createRouter({ runtime, telemetry });
router.add(EchoService, {
  echo: async (_ctx, { id, quantity, note }) => ({ id, quantity, note }),
  repeat: async function* () {},
});
const policies = createPolicyRegistry({ runtime, rules: { rules: { '*': { breaker: null } } } });
const options = { runtime, telemetry, callerService: 'bench', policies };
const client = createClient(EchoService, createInProcessTransport(router), options);
const ctx = rootContext({ runtime });
await measureCalls(readRpcOrder(), (asked) => client.echo(ctx, asked, { timeoutMs: TIMEOUT_MS }));
