import { type CheckRules, parseCheckDefinition } from '../checks/definition.ts';
import { registryErrors } from '../errors.ts';
import { parseFields } from '../http/fields.ts';
import type { RegistryRequest, Reply, Route } from '../http/routes.ts';
import { filterOf, required } from '../http/selection.ts';
import { agentServiceShape, checkShape } from '../http/shapes.ts';
import type { HealthEntry, Status } from '../state/catalog.ts';
import { isStatus, worst } from '../state/status.ts';
import type { AgentWorld, LocalAgent } from './local-agent.ts';

const STATUS_CODES: Readonly<Record<Status, number>> = { passing: 200, warning: 429, critical: 503 };

/** `/v1/agent/check*` and `/v1/agent/health`: how those that registered here do. */
export function checkRoutes(world: AgentWorld, agent: LocalAgent, rules: CheckRules): readonly Route[] {
  const { commits, catalog, datacenter, nodeName } = world;

  const register = async ({ body }: RegistryRequest): Promise<Reply> => {
    const fields = parseFields(body);
    const name = fields.text('Name');
    if (name === '') throw registryErrors.MALFORMED({ what: 'Missing check name' });
    const status = fields.text('Status');
    if (status !== '' && !isStatus(status)) throw registryErrors.MALFORMED({ what: 'Bad check status' });
    const defaults = { id: name, name, serviceId: fields.text('ServiceID') };
    const definition = parseCheckDefinition(fields, defaults, rules);
    await commits.run((change) => agent.registerCheck(change, definition));
    return {};
  };

  const pushed = (word: string, status: Status): Route => ({
    method: 'PUT',
    path: `/v1/agent/check/${word}/:id`,
    handle: async (request) => {
      await agent.push(required(request, 'check ID'), status, request.query.get('note') ?? '');
      return {};
    },
  });

  const update = async (request: RegistryRequest): Promise<Reply> => {
    const id = required(request, 'check ID');
    const fields = parseFields(request.body);
    const status = fields.text('Status');
    if (!isStatus(status)) throw registryErrors.MALFORMED({ what: `Invalid check status: '${status}'` });
    await agent.push(id, status, fields.text('Output'));
    return {};
  };

  const healthShape = ({ instance, checks, status }: HealthEntry): object => ({
    AggregatedStatus: status,
    Service: agentServiceShape(instance, datacenter),
    Checks: checks.map(checkShape),
  });
  const local = (entries: readonly HealthEntry[]): readonly HealthEntry[] =>
    entries.filter(({ node }) => node.name === nodeName);
  const wantsText = ({ query, headers }: RegistryRequest): boolean =>
    query.get('format') === 'text' || (headers.accept ?? '').startsWith('text/plain');
  const healthReply = (request: RegistryRequest, status: Status, json: unknown): Reply =>
    wantsText(request) ? { status: STATUS_CODES[status], text: status } : { status: STATUS_CODES[status], json };

  return [
    { method: 'PUT', path: '/v1/agent/check/register', handle: register },
    {
      method: 'PUT',
      path: '/v1/agent/check/deregister/:id',
      handle: async (request) => {
        const id = required(request, 'check ID');
        await commits.run((change) => agent.deregisterCheck(change, id));
        return {};
      },
    },
    pushed('pass', 'passing'),
    pushed('warn', 'warning'),
    pushed('fail', 'critical'),
    { method: 'PUT', path: '/v1/agent/check/update/:id', handle: update },
    {
      method: 'GET',
      path: '/v1/agent/checks',
      handle: ({ query }) => {
        const passes = filterOf(query);
        const all = agent.checks().map((check) => [check.id, checkShape(check)] as const);
        return { json: Object.fromEntries(all.filter(([, shape]) => passes(shape))) };
      },
    },
    {
      method: 'GET',
      path: '/v1/agent/health/service/id/:id',
      handle: (request) => {
        const id = required(request, 'serviceID');
        const service = agent.service(id)?.service ?? '';
        const entry = local(catalog.instancesOf(service)).find(({ instance }) => instance.id === id);
        if (entry === undefined) return { status: 404, text: `ServiceId ${id} not found` };
        return healthReply(request, entry.status, healthShape(entry));
      },
    },
    {
      method: 'GET',
      path: '/v1/agent/health/service/name/:name',
      handle: (request) => {
        const name = required(request, 'service Name');
        const entries = local(catalog.instancesOf(name));
        if (entries.length === 0) return { status: 404, text: `ServiceName ${name} Not Found` };
        return healthReply(request, worst(entries), entries.map(healthShape));
      },
    },
  ];
}
