import { silentLogger, virtualRuntime } from '@souk/kernel';
import { type AgentWorld, createLocalAgent } from '../src/agent/local-agent.ts';
import { putOwnNode } from '../src/agent/own-node.ts';
import { parseInstance } from '../src/agent/service-definition.ts';
import { parseCheckDefinition } from '../src/checks/definition.ts';
import { createTargetGuard } from '../src/checks/target-guard.ts';
import { fieldsOf } from '../src/http/fields.ts';
import { createCatalogStore } from '../src/state/catalog-store.ts';
import type { Change } from '../src/state/commits.ts';
import { createGroupCommit } from '../src/state/group-commit.ts';
import { createRevisions } from '../src/state/revisions.ts';

/** An agent in virtual time, without a server around it. */
export async function agentWorld() {
  const runtime = virtualRuntime();
  const revisions = createRevisions(runtime);
  const catalog = createCatalogStore({ revisions, self: 'node' });
  const commits = createGroupCommit({ runtime, revisions, log: silentLogger, delayMs: 0 });
  const world: AgentWorld = {
    ...{ runtime, revisions, catalog, commits, log: silentLogger, datacenter: 'dc1', nodeName: 'node' },
  };
  const agent = createLocalAgent(world, {
    ...{ guard: createTargetGuard(['127.0.0.0/8']), outputDelayMs: 300_000, onProbe: () => {} },
  });
  const run = async <T>(change: (change: Change) => T): Promise<T> => {
    const done = commits.run(change);
    await commits.flush();
    return done;
  };
  const self = { nodeName: 'node', nodeId: () => 'id', address: '10.0.0.1', datacenter: 'dc1' };
  await run((change) => putOwnNode(catalog, change, self, 'id'));
  agent.start();
  const rules = { failuresBeforeCritical: 2, successBeforePassing: 1, scripts: false };
  const register = (id: string, check: object, replaceChecks = false) =>
    run((change) =>
      agent.registerService(
        change,
        parseInstance(fieldsOf({ Name: 'web', ID: id }, 'service'), 'node', 'Name'),
        [parseCheckDefinition(fieldsOf(check, 'check'), { id: `service:${id}`, name: 'check', serviceId: id }, rules)],
        replaceChecks,
      ),
    );
  const push = async (...args: Parameters<typeof agent.push>): Promise<void> => {
    const pushed = agent.push(...args);
    await commits.flush();
    await pushed;
  };
  return { ...{ runtime, revisions, catalog, commits, world, agent, run, register, push } };
}
