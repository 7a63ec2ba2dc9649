import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Instance, type Picker, type ServiceView, UP } from '@souk/discovery';
import { rootContext, systemRuntime } from '@souk/kernel';
import { createBalancedTransport } from '@souk/rpc';
import { clientOf, echoListener, reasonOf } from '../test/servers.ts';
import { createHttpTransport } from './index.ts';

/** Takes instances that are ready in turn, those not tried first. */
function inTurn(): Picker {
  let ready: readonly Instance[] = [];
  let turn = 0;
  return {
    update: ({ instances }: ServiceView) => {
      ready = instances.filter((one) => one.ready);
    },
    pick: ({ avoid }) => {
      const fresh = ready.filter(({ id }) => !avoid?.has(id));
      const among = fresh.length > 0 ? fresh : ready;
      const instance = among[turn++ % among.length];
      return instance && { instance, done: () => {} };
    },
    close: () => {},
  };
}

/** A process that answers with `connection: close` once it is to stop, and closes when everybody has left. */
async function startInstance(id: string, run: number) {
  const listener = echoListener({
    change: async (_ctx, { number }) => {
      await sleep(3);
      return { number };
    },
  });
  let draining = false;
  const server = createServer((request, response) => {
    if (draining) response.setHeader('connection', 'close');
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const instance: Instance = {
    ...{ id, service: 'echo', address: '127.0.0.1', port, protocol: 'http', version: '1', zone: '', weight: 1 },
    ...{ tags: [], meta: {}, incarnation: `${id}-${run}`, ...UP },
  };
  return {
    instance,
    announce: () => {
      draining = true;
    },
    stop: async () => {
      // A server that closes ends what it takes for idle, also connections on which a call is on its way: its clients leave by themselves.
      const connections = () =>
        new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
      while ((await connections()) > 0) await sleep(5);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('instances are restarted one after the other, and no call fails, also none that may not be repeated', async () => {
  const runtime = systemRuntime();
  const transport = createBalancedTransport({
    ...{ service: 'echo', picker: inTurn(), connect: createHttpTransport({ runtime }).to, runtime },
  });
  const echo = clientOf(transport);
  const ctx = rootContext({ runtime, timeoutMs: 60_000 });
  const running = await Promise.all(['a', 'b'].map((id) => startInstance(id, 0)));
  const tell = (leaving?: number) =>
    transport.update({
      source: 'registry',
      instances: running.map(({ instance }, at) =>
        at === leaving ? { ...instance, ready: false, terminating: true } : instance,
      ),
    });
  tell();

  let isOver = false;
  let served = 0;
  const failed: string[] = [];
  const caller = async (kind: 'get' | 'change') => {
    while (!isOver) {
      const reason = await reasonOf(echo[kind](ctx, { number: served }));
      if (reason === 'ok') served++;
      else {
        failed.push(`${kind} ${reason}`);
        await sleep(5);
      }
    }
  };
  const callers = ['get', 'change', 'get', 'change', 'change', 'change'].map((kind) =>
    caller(kind as 'get' | 'change'),
  );
  for (let run = 1; run <= 10; run++) {
    const at = run % 2;
    const old = running[at] as (typeof running)[number];
    old.announce();
    tell(at);
    await old.stop();
    running[at] = await startInstance(at === 0 ? 'a' : 'b', run);
    tell();
    for (const from = served; served < from + 20 && failed.length === 0; ) await sleep(2);
  }
  isOver = true;
  await Promise.all(callers);
  await transport.close();
  await Promise.all(running.map((one) => one.stop()));
  assert.deepEqual(failed, []);
});
