import type { Incarnations } from '../agent/incarnations.ts';
import { type AgentWorld, type LocalAgent, maintenanceCheckId } from '../agent/local-agent.ts';
import type { Reaper } from '../agent/reaper.ts';
import { parseInstance } from '../agent/service-definition.ts';
import type { CheckDefinition } from '../checks/definition.ts';
import { registryErrors } from '../errors.ts';
import { type Fields, parseFields } from '../http/fields.ts';
import type { RegistryRequest, Reply, Route } from '../http/routes.ts';
import { required } from '../http/selection.ts';
import type { Module } from '../module.ts';
import type { InstanceEntry, SoukFacts } from '../state/catalog.ts';
import type { Fresh } from '../state/catalog-store.ts';
import type { Change } from '../state/commits.ts';
import { DRAINING, heartbeatCheckId, MAINTENANCE, SAID, viewOf } from './instance-view.ts';

type Conditions = SoukFacts['conditions'];

const DEFAULT_TTL_MS = 15_000;
const SHORTEST_TTL_MS = 1000;
const WEIGHT = 65_535;

/**
 * `/souk/v1`: what Consul's model has no place for. An instance here has three conditions and an incarnation, the name of one run of its
 * process. It is at the same time an instance for Consul's clients, who see it critical whenever it is not ready.
 */
export function createSoukApi(
  world: AgentWorld,
  { agent, reaper, runs }: { readonly agent: LocalAgent; readonly reaper: Reaper; readonly runs: Incarnations },
): Module {
  const { commits, catalog, nodeName, revisions } = world;
  const apply = (change: Change, instance: Fresh<InstanceEntry>, souk: SoukFacts, again: boolean): void => {
    const { id } = instance;
    runs.accept(id, souk, again);
    agent.registerService(change, { ...instance, souk }, [heartbeat(instance, souk)], false);
    tellConsul(change, id, souk.conditions);
  };

  /** The conditions as checks. */
  const tellConsul = (change: Change, id: string, { ready, serving, terminating }: Conditions): void => {
    const check = catalog.check(nodeName, heartbeatCheckId(id));
    if (check === undefined) return;
    const { createRev: _createRev, modifyRev: _modifyRev, ...rest } = check;
    const well = ready || serving;
    catalog.putCheck(change, { ...rest, status: well ? 'passing' : 'critical', output: well ? '' : SAID });
    const resting = catalog.check(nodeName, maintenanceCheckId(id));
    if (serving && !ready) agent.setMaintenance(change, id, true, terminating ? DRAINING : MAINTENANCE);
    // What an operator put into maintenance stays there.
    else if (resting?.notes === DRAINING || resting?.notes === MAINTENANCE) agent.setMaintenance(change, id, false, '');
  };

  const register = async (request: RegistryRequest): Promise<Reply> => {
    const id = required(request, 'instance id');
    const fields = parseFields(request.body);
    const instance = parseInstance(fields, nodeName, 'Service');
    const souk = parseFacts(fields);
    const weight = fields.has('weight') ? fields.integer('weight') : 1;
    if (weight < 0 || weight > WEIGHT) throw registryErrors.MALFORMED({ what: `weight: want 0 to ${WEIGHT}` });
    await commits.run((change) =>
      apply(
        change,
        { ...instance, id, weights: { passing: weight, warning: weight } },
        souk,
        request.query.has('again'),
      ),
    );
    return { json: { rev: revisions.indexOf(`service:${instance.service.toLowerCase()}`) } };
  };

  const requireRun = (id: string, incarnation: string): InstanceEntry & { readonly souk: SoukFacts } => {
    runs.check(id, incarnation);
    const known = agent.service(id);
    const { souk } = known ?? {};
    if (known === undefined || souk === undefined) throw registryErrors.UNKNOWN_INSTANCE({ id });
    if (souk.incarnation !== incarnation) throw registryErrors.STALE_INCARNATION({ id });
    return { ...known, souk };
  };

  /** Without conditions in its body: as before. Then it costs no revision. */
  const beat = async (request: RegistryRequest): Promise<Reply> => {
    const id = required(request, 'instance id');
    const fields = parseFields(request.body);
    const incarnation = request.query.get('incarnation') ?? fields.text('incarnation');
    const { souk } = requireRun(id, incarnation);
    const conditions = fields.has('ready') ? parseConditions(fields) : souk.conditions;
    const check = catalog.check(nodeName, heartbeatCheckId(id));
    const expected = conditions.ready || conditions.serving ? 'passing' : 'critical';
    const same = agent.isLive(heartbeatCheckId(id)) && equal(conditions, souk.conditions);
    if (same && check?.status === expected) {
      await agent.push(check.id, check.status, check.output);
      return {};
    }
    await commits.run((change) => {
      const { createRev: _createRev, modifyRev: _modifyRev, ...instance } = requireRun(id, incarnation);
      apply(change, instance, { ...instance.souk, conditions }, false);
    });
    return {};
  };

  const remove = async (request: RegistryRequest): Promise<Reply> => {
    const id = required(request, 'instance id');
    const incarnation = request.query.get('incarnation') ?? '';
    await commits.run((change) => {
      requireRun(id, incarnation);
      agent.deregisterService(change, id);
    });
    return {};
  };

  const routes: Route[] = [
    {
      method: 'GET',
      path: '/souk/v1/instances',
      resource: ({ query }) => (query.get('service') ? `service:${query.get('service')?.toLowerCase()}` : 'catalog'),
      handle: ({ query }) => {
        const service = query.get('service') ?? '';
        const names = service === '' ? [...catalog.services()].map(([name]) => name) : [service];
        const instances = names.flatMap((name) => catalog.instancesOf(name)).map(viewOf);
        const rev = revisions.indexOf(service === '' ? 'catalog' : `service:${service.toLowerCase()}`);
        return { json: { rev, instances } };
      },
    },
    { method: 'PUT', path: '/souk/v1/instances/:id', handle: register },
    { method: 'DELETE', path: '/souk/v1/instances/:id', handle: remove },
    { method: 'PUT', path: '/souk/v1/heartbeats/:id', handle: beat },
    { method: 'GET', path: '/souk/v1/guard', handle: () => ({ json: reaper.guard }) },
    {
      method: 'PUT',
      path: '/souk/v1/guard/force-remove',
      handle: async () => ({ json: { removed: await reaper.forceRemove() } }),
    },
  ];
  return { routes };
}

function parseFacts(fields: Fields): SoukFacts {
  const incarnation = fields.text('incarnation');
  if (incarnation === '') throw registryErrors.MALFORMED({ what: 'Missing incarnation: name this run of the process' });
  const ttlMs = fields.durationMs('ttl') ?? DEFAULT_TTL_MS;
  if (ttlMs < SHORTEST_TTL_MS) throw registryErrors.MALFORMED({ what: 'ttl: want at least 1s' });
  return {
    protocol: fields.text('protocol') || 'http',
    version: fields.text('version'),
    zone: fields.text('zone'),
    ...{ incarnation, ttlMs, conditions: parseConditions(fields) },
  };
}

function parseConditions(fields: Fields): Conditions {
  const conditions = {
    ready: fields.flag('ready'),
    serving: fields.flag('serving'),
    terminating: fields.flag('terminating'),
  };
  if (conditions.ready && conditions.terminating) {
    throw registryErrors.MALFORMED({ what: 'an instance that is terminating cannot be ready' });
  }
  return conditions;
}

const equal = (one: Conditions, other: Conditions): boolean =>
  one.ready === other.ready && one.serving === other.serving && one.terminating === other.terminating;

const heartbeat = ({ id, service }: Fresh<InstanceEntry>, { ttlMs }: SoukFacts): CheckDefinition => ({
  ...{ id: heartbeatCheckId(id), name: `Service '${service}' check`, notes: '', serviceId: id, status: 'critical' },
  ...{ ttlMs, target: undefined, intervalMs: 0, timeoutMs: 0, deregisterAfterMs: undefined, maxOutputBytes: 0 },
  ...{ successBeforePassing: 1, failuresBeforeWarning: 1, failuresBeforeCritical: 1 },
});
