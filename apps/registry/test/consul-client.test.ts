import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Consul from 'consul';
import { type RunningRegistry, startRegistry } from './world.ts';

let registry: RunningRegistry;
let consul: Consul;
before(async () => {
  // A client that starts a watch and writes at once counts on the gap between.
  registry = await startRegistry({ commitDelay: 5 });
  const { hostname, port } = new URL(registry.url);
  consul = new Consul({ host: hostname, port: Number(port) });
});
after(() => registry.stop());

interface Health {
  readonly Service: { readonly ID: string; readonly Port: number };
}

test('the unmodified client registers, lists, passes and deregisters', async () => {
  await consul.agent.service.register({
    ...{ name: 'web', id: 'web-1', port: 80, tags: ['v1'], meta: { zone: 'a' } },
    check: { ttl: '1h', name: 'alive', timeout: '1s' },
  });
  const services = (await consul.agent.service.list()) as Record<string, { readonly Tags: readonly string[] }>;
  assert.deepEqual(services['web-1']?.Tags, ['v1']);
  const healthy = async () => (await consul.health.service({ service: 'web', passing: true })) as readonly Health[];
  assert.equal((await healthy()).length, 0);
  await consul.agent.check.pass('service:web-1');
  assert.equal((await healthy())[0]?.Service.Port, 80);
  assert.deepEqual(((await consul.catalog.service.list()) as Record<string, unknown>).web, ['v1']);
  await consul.agent.service.maintenance({ id: 'web-1', enable: true });
  assert.equal((await healthy()).length, 0);
  await consul.agent.service.deregister('web-1');
  assert.deepEqual(await consul.health.service('web'), []);
  await assert.rejects(consul.agent.service.deregister('web-1'), /not found/);
});

test('its watch sees a service come, change and go', async () => {
  const watch = consul.watch({ method: consul.health.service, options: { service: 'api', wait: '30s' } as never });
  const seen: number[][] = [];
  const done = new Promise<void>((resolve, reject) => {
    watch.on('error', reject);
    watch.on('change', (data: readonly Health[]) => {
      seen.push(data.map(({ Service }) => Service.Port));
      if (seen.length === 1) void consul.agent.service.register({ name: 'api', port: 1 });
      if (seen.length === 2) void consul.agent.service.register({ name: 'api', port: 2 });
      if (seen.length === 3) void consul.agent.service.deregister('api');
      if (seen.length === 4) resolve();
    });
  });
  await done;
  watch.end();
  assert.deepEqual(seen, [[], [1], [2], []]);
});

test('it reads itself, members and status', async () => {
  const self = (await consul.agent.self()) as { readonly Config: { readonly Datacenter: string } };
  assert.equal(self.Config.Datacenter, 'dc1');
  assert.equal(((await consul.agent.members()) as readonly unknown[]).length, 1);
  assert.equal(await consul.status.leader(), '127.0.0.1:8300');
});
