import { createHash } from 'node:crypto';
import { type CheckRules, isEmptyCheck, parseCheckDefinition } from '../checks/definition.ts';
import { registryErrors } from '../errors.ts';
import { readOptions, spread } from '../http/blocking.ts';
import { parseFields } from '../http/fields.ts';
import type { RegistryRequest, Reply, Route } from '../http/routes.ts';
import { filterOf, required } from '../http/selection.ts';
import { agentServiceShape } from '../http/shapes.ts';
import type { InstanceEntry } from '../state/catalog.ts';
import type { Incarnations } from './incarnations.ts';
import type { AgentWorld, LocalAgent } from './local-agent.ts';
import { parseInstance } from './service-definition.ts';
import { factsOf } from './souk-meta.ts';

/** `/v1/agent/service*`: what registered here. */
export function serviceRoutes(
  world: AgentWorld,
  { agent, rules, runs }: { readonly agent: LocalAgent; readonly rules: CheckRules; readonly runs: Incarnations },
): readonly Route[] {
  const { runtime, commits, revisions, datacenter, nodeName } = world;
  const shapes = new WeakMap<InstanceEntry, { readonly shape: object; readonly hash: string }>();

  const shapeOf = (instance: InstanceEntry): { readonly shape: object; readonly hash: string } => {
    const known = shapes.get(instance);
    if (known !== undefined) return known;
    const shape = agentServiceShape(instance, datacenter);
    const made = { shape, hash: createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16) };
    shapes.set(instance, made);
    return made;
  };

  const register = async ({ body, query }: RegistryRequest): Promise<Reply> => {
    const fields = parseFields(body);
    const instance = parseInstance(fields, nodeName, 'Name');
    const single = fields.object('Check');
    const checks = [...(single === undefined ? [] : [single]), ...fields.objects('Checks')].filter(
      (check) => !isEmptyCheck(check),
    );
    const definitions = checks.map((check, at) => {
      const id = `service:${instance.id}${checks.length > 1 ? `:${at + 1}` : ''}`;
      const name = `Service '${instance.service}' check`;
      return parseCheckDefinition(check, { id, name, serviceId: instance.id }, rules);
    });
    const replace = query.has('replace-existing-checks') && query.get('replace-existing-checks') !== 'false';
    const souk = factsOf(instance.meta, definitions[0]?.ttlMs ?? 0);
    await commits.run((change) => {
      if (souk !== undefined) runs.accept(instance.id, souk, query.has('souk-again'));
      agent.registerService(change, { ...instance, souk }, definitions, replace);
    });
    return {};
  };

  /** Waits until the hash is another one: by hash, because the instance has no index of its own. */
  const readOne = async (request: RegistryRequest): Promise<Reply> => {
    const id = required(request, 'service ID');
    const { waitMs } = readOptions(request.query);
    const known = request.query.get('hash') ?? '';
    const untilMs = runtime.clock.monotonicMs() + spread(waitMs, runtime.random);
    const resource = `node:${nodeName.toLowerCase()}`;
    for (;;) {
      const index = revisions.indexOf(resource);
      const instance = agent.service(id);
      if (instance === undefined) throw registryErrors.UNKNOWN_SERVICE({ id });
      const { shape, hash } = shapeOf(instance);
      const leftMs = untilMs - runtime.clock.monotonicMs();
      if (hash !== known || leftMs <= 0 || request.signal.aborted) {
        return { json: { ...shape, ContentHash: hash }, headers: { 'X-Consul-ContentHash': hash } };
      }
      await revisions.wait(resource, index, request.signal, leftMs);
    }
  };

  return [
    { method: 'PUT', path: '/v1/agent/service/register', handle: register },
    {
      method: 'PUT',
      path: '/v1/agent/service/deregister/:id',
      handle: async (request) => {
        const id = required(request, 'service ID');
        await commits.run((change) => agent.deregisterService(change, id));
        return {};
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/service/maintenance/:id',
      handle: async (request) => {
        const id = required(request, 'service ID');
        const { enable, reason } = maintenanceOf(request);
        await commits.run((change) => agent.setMaintenance(change, id, enable, reason));
        return {};
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/maintenance',
      handle: async (request) => {
        const { enable, reason } = maintenanceOf(request);
        await commits.run((change) => agent.setMaintenance(change, undefined, enable, reason));
        return {};
      },
    },
    {
      method: 'GET',
      path: '/v1/agent/services',
      handle: ({ query }) => {
        const passes = filterOf(query);
        const all = agent.services().map((instance) => [instance.id, shapeOf(instance).shape] as const);
        return { json: Object.fromEntries(all.filter(([, shape]) => passes(shape))) };
      },
    },
    { method: 'GET', path: '/v1/agent/service/:id', handle: readOne },
  ];
}

function maintenanceOf({ query }: RegistryRequest): { readonly enable: boolean; readonly reason: string } {
  const value = query.get('enable') ?? '';
  if (value === '') throw registryErrors.MALFORMED({ what: 'Missing value for enable' });
  const enable = ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value);
  if (!enable && !['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) {
    throw registryErrors.MALFORMED({ what: `Invalid value for enable: "${value}"` });
  }
  return { enable, reason: query.get('reason') ?? '' };
}
