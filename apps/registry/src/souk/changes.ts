import type { AgentWorld } from '../agent/local-agent.ts';
import { registryErrors } from '../errors.ts';
import { readOptions, spread } from '../http/blocking.ts';
import type { RegistryRequest, Reply } from '../http/routes.ts';
import type { Module } from '../module.ts';
import { viewOf } from './instance-view.ts';

interface Change {
  readonly rev: number;
  /** In lower case. */
  readonly service: string;
  readonly node: string;
  readonly id: string;
}

/** Changes that are kept. Who has missed more lists again. */
const KEPT = 10_000;
/** Instances in one answer. For more, a list is the better answer. */
const MOST = 256;

/**
 * `GET /souk/v1/changes?service=&from=<rev>&wait=`: what happened to instances since a revision, one entry for each instance with its state
 * now. `410 compacted` when that is longer ago than is kept, `resync: true` when it is more than an answer takes: list again.
 */
export function createChanges({ runtime, catalog, revisions }: AgentWorld): Module {
  const changes: Change[] = [];
  /** Changes up to here are not known. */
  let forgotten = 0;

  const keep = (change: Change): void => {
    changes.push(change);
    // In steps, so that it costs nothing on average.
    if (changes.length >= KEPT * 2) forgotten = changes.splice(0, KEPT).at(-1)?.rev ?? forgotten;
  };

  catalog.subscribe((change, rev) => {
    if (change.kind === 'instance') {
      // Two services when the instance went from one to the other.
      const sides = [change.before, change.after].filter((one) => one !== undefined);
      const services = new Map(sides.map((one) => [one.service.toLowerCase(), one]));
      for (const [service, { node, id }] of services) keep({ rev, service, node, id });
      return;
    }
    if (change.kind === 'check') {
      const check = change.after ?? change.before;
      if (check === undefined) return;
      const instance = catalog.instance(check.node, check.serviceId);
      if (instance !== undefined) {
        keep({ rev, service: instance.service.toLowerCase(), node: check.node, id: instance.id });
        return;
      }
      if (check.serviceId !== '') return;
    }
    // It concerns all instances of a node, which may be thousands.
    changes.length = 0;
    forgotten = rev;
  });

  const read = async (request: RegistryRequest): Promise<Reply> => {
    const { query, signal } = request;
    const service = (query.get('service') ?? '').toLowerCase();
    const from = Number(query.get('from') ?? Number.NaN);
    if (!Number.isSafeInteger(from) || from < 0)
      throw registryErrors.MALFORMED({ what: 'Invalid from: want a revision' });
    const resource = service === '' ? 'catalog' : `service:${service}`;
    const { waitMs } = readOptions(query);
    if (from <= revisions.current) await revisions.wait(resource, from, signal, spread(waitMs, runtime.random));
    if (from > revisions.current || from < forgotten) {
      throw registryErrors.COMPACTED({ from });
    }
    const rev = Math.max(from, revisions.indexOf(resource));
    const latest = new Map<string, Change>();
    for (const change of since(from)) {
      if (service === '' || change.service === service)
        latest.set(`${change.service}\n${change.node}\n${change.id}`, change);
    }
    if (latest.size > MOST) return { json: { rev, resync: true, changes: [] } };
    return { json: { rev, resync: false, changes: [...latest.values()].map(describe) } };
  };

  const since = (from: number): readonly Change[] => {
    let at = changes.length;
    while (at > 0 && (changes[at - 1] as Change).rev > from) at -= 1;
    return changes.slice(at);
  };

  const describe = ({ rev, service, node, id }: Change): unknown => {
    const entry = catalog.healthOf(node, id);
    const there = entry?.instance.service.toLowerCase() === service;
    if (entry === undefined || !there) return { rev, op: 'delete', service, node, id };
    return { rev, op: 'put', service, node, id, instance: viewOf(entry) };
  };

  return {
    routes: [{ method: 'GET', path: '/souk/v1/changes', handle: read }],
    start: () => {
      forgotten = Math.max(forgotten, revisions.current);
    },
  };
}
