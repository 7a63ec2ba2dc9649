import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import type { CheckEntry, InstanceEntry, NodeEntry, Status } from './catalog.ts';
import { createCatalogStore, type Fresh } from './catalog-store.ts';
import type { Change } from './commits.ts';
import { createRevisions } from './revisions.ts';

const NODES = ['n1', 'n2'];
const SERVICES = ['web', 'api'];

const node = (name: string, meta = ''): Fresh<NodeEntry> => ({
  ...{ id: `id of ${name}`, name, address: '10.0.0.1', datacenter: 'dc1', taggedAddresses: {}, meta: { meta } },
});
const instance = (
  on: string,
  id: string,
  service: string,
  tags: readonly string[],
  port: number,
): Fresh<InstanceEntry> => ({
  ...{ node: on, id, service, kind: '', tags, address: '', port, taggedAddresses: {}, meta: {} },
  ...{ weights: { passing: 1, warning: 1 }, enableTagOverride: false, souk: undefined },
});
const check = (on: string, id: string, serviceId: string, status: Status): Fresh<CheckEntry> => ({
  ...{ node: on, id, name: id, status, notes: '', output: '', serviceId, serviceName: '', serviceTags: [] },
  ...{ type: '', interval: '', timeout: '', definition: {} },
});

function setUp() {
  const runtime = virtualRuntime();
  const revisions = createRevisions(runtime);
  const catalog = createCatalogStore({ revisions, self: 'n1' });
  const logged: unknown[] = [];
  const commit = (make: (change: Change) => void): void => {
    let rev: number | undefined;
    make({
      get rev() {
        rev ??= revisions.next();
        return rev;
      },
      log: (_name, entry) => void logged.push(JSON.parse(JSON.stringify(entry))),
    });
  };
  return { runtime, revisions, catalog, commit, logged };
}

type Command =
  | { readonly do: 'node' | 'no-node'; readonly node: string; readonly meta: string }
  | {
      readonly do: 'instance';
      readonly node: string;
      readonly id: string;
      readonly service: string;
      readonly tags: string[];
      readonly port: number;
    }
  | { readonly do: 'no-instance'; readonly node: string; readonly id: string }
  | {
      readonly do: 'check';
      readonly node: string;
      readonly id: string;
      readonly serviceId: string;
      readonly status: Status;
    }
  | { readonly do: 'no-check'; readonly node: string; readonly id: string };

const one = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    fc.record({ do: one('node' as const, 'no-node' as const), node: one(...NODES), meta: one('', 'x') }),
    fc.record({
      ...{ do: one('instance' as const), node: one(...NODES), id: one('1', '2'), service: one(...SERVICES) },
      ...{ tags: fc.subarray(['a', 'b']), port: one(1, 2) },
    }),
    fc.record({ do: one('no-instance' as const), node: one(...NODES), id: one('1', '2') }),
    fc.record({
      ...{ do: one('check' as const), node: one(...NODES), id: one('c1', 'c2'), serviceId: one('', '1', '2') },
      status: one<Status>('passing', 'warning', 'critical'),
    }),
    fc.record({ do: one('no-check' as const), node: one(...NODES), id: one('c1', 'c2') }),
  ),
  { maxLength: 40 },
);

/** The reference: no index, no cache, everything looked for in plain lists. */
function createModel() {
  const nodes = new Map<string, Fresh<NodeEntry>>();
  const instances = new Map<string, Fresh<InstanceEntry>>();
  const checks = new Map<string, Fresh<CheckEntry>>();
  const purge = (map: Map<string, { readonly node: string }>, on: string): void => {
    for (const [key, { node }] of [...map]) if (node === on) map.delete(key);
  };
  return {
    run: (command: Command): void => {
      const key = `${command.node}/${'id' in command ? command.id : ''}`;
      if (command.do === 'node') nodes.set(command.node, node(command.node, command.meta));
      if (command.do === 'no-node') {
        nodes.delete(command.node);
        purge(instances, command.node);
        purge(checks, command.node);
      }
      if (!nodes.has(command.node)) return;
      if (command.do === 'instance') {
        instances.set(key, instance(command.node, command.id, command.service, command.tags, command.port));
      }
      if (command.do === 'no-instance' && instances.delete(key)) {
        for (const [id, one] of [...checks])
          if (one.node === command.node && one.serviceId === command.id) checks.delete(id);
      }
      if (command.do === 'check') checks.set(key, check(command.node, command.id, command.serviceId, command.status));
      if (command.do === 'no-check') checks.delete(key);
    },
    /** What a read of each resource shows. */
    views: (): Record<string, unknown> => {
      const all = [...instances.values()].sort((x, y) => (`${x.node}${x.id}` < `${y.node}${y.id}` ? -1 : 1));
      const byId = [...checks.values()].sort((x, y) => (x.id < y.id ? -1 : 1));
      const of = (service: string) => all.filter((each) => each.service === service);
      const checksOf = (each: Fresh<InstanceEntry>) =>
        ['', each.id].flatMap((id) => byId.filter((c) => c.node === each.node && c.serviceId === id));
      const tags = (service: string) => [...new Set(of(service).flatMap((each) => each.tags))].sort();
      return {
        nodes: NODES.flatMap((name) => nodes.get(name) ?? []),
        services: SERVICES.filter((name) => of(name).length > 0)
          .sort()
          .map((name) => [name, tags(name)]),
        ...Object.fromEntries(
          SERVICES.flatMap((name) => [
            [`service:${name}`, of(name).map((each) => [each, nodes.get(each.node), checksOf(each)])],
            [`service-instances:${name}`, of(name).map((each) => [each, nodes.get(each.node)])],
            [`service-checks:${name}`, of(name).map((each) => checksOf(each).filter((c) => c.serviceId !== ''))],
          ]),
        ),
        ...Object.fromEntries(
          NODES.flatMap((name) => [
            [`node:${name}`, nodes.has(name) && [nodes.get(name), all.filter((each) => each.node === name)]],
            [`node-checks:${name}`, byId.filter((each) => each.node === name)],
          ]),
        ),
        ...Object.fromEntries(
          ['any', 'passing', 'warning', 'critical'].map((state) => [
            `state:${state}`,
            byId
              .filter(({ status }) => state === 'any' || status === state)
              .sort((x, y) => (`${x.node}${x.id}` < `${y.node}${y.id}` ? -1 : 1)),
          ]),
        ),
      };
    },
  };
}

const plain = <T extends { readonly createRev: number; readonly modifyRev: number }>({
  createRev: _create,
  modifyRev: _modify,
  ...rest
}: T) => rest;

/** The same, read from the catalog. */
function viewsOf(catalog: ReturnType<typeof createCatalogStore>): Record<string, unknown> {
  const sortedChecks = (list: Iterable<CheckEntry>) =>
    [...list].sort((x, y) => (`${x.node}${x.id}` < `${y.node}${y.id}` ? -1 : 1)).map(plain);
  const byGroup = (list: readonly CheckEntry[]) => [
    ...sortedChecks(list.filter(({ serviceId }) => serviceId === '')),
    ...sortedChecks(list.filter(({ serviceId }) => serviceId !== '')),
  ];
  const health = (name: string) => catalog.instancesOf(name);
  return {
    nodes: [...catalog.nodes()].map(plain).sort((x, y) => (x.name < y.name ? -1 : 1)),
    services: [...catalog.services()].map(([name, tags]) => [name, [...tags]]),
    ...Object.fromEntries(
      SERVICES.flatMap((name) => [
        [`service:${name}`, health(name).map((e) => [plain(e.instance), plain(e.node), byGroup(e.checks)])],
        [`service-instances:${name}`, health(name).map((e) => [plain(e.instance), plain(e.node)])],
        [`service-checks:${name}`, health(name).map((e) => sortedChecks(e.checks.filter((c) => c.serviceId !== '')))],
      ]),
    ),
    ...Object.fromEntries(
      NODES.flatMap((name) => {
        const found = catalog.node(name);
        const on = [...catalog.instancesOn(name)].map(plain).sort((x, y) => (x.id < y.id ? -1 : 1));
        return [
          [`node:${name}`, found !== undefined && [plain(found), on]],
          [`node-checks:${name}`, sortedChecks(catalog.checksOn(name))],
        ];
      }),
    ),
    ...Object.fromEntries(
      ['any', 'passing', 'warning', 'critical'].map((state) => [
        `state:${state}`,
        sortedChecks([...catalog.checks()].filter(({ status }) => state === 'any' || status === state)),
      ]),
    ),
  };
}

function apply(catalog: ReturnType<typeof createCatalogStore>, change: Change, command: Command): void {
  if (command.do === 'node') catalog.putNode(change, node(command.node, command.meta));
  if (command.do === 'no-node') catalog.deleteNode(change, command.node);
  if (command.do === 'instance') {
    const { id, service, tags, port } = command;
    catalog.putInstance(change, instance(command.node, id, service, tags, port));
  }
  if (command.do === 'no-instance') catalog.deleteInstance(change, command.node, command.id);
  if (command.do === 'check') {
    catalog.putCheck(change, check(command.node, command.id, command.serviceId, command.status));
  }
  if (command.do === 'no-check') catalog.deleteCheck(change, command.node, command.id);
}

test('whatever happens: reads are as in the model, an index moves when its view does and only of what was touched, and never back', () => {
  fc.assert(
    fc.property(commands, (list) => {
      const { catalog, revisions, commit, logged } = setUp();
      const model = createModel();
      let before = model.views();
      let indexes = Object.fromEntries(Object.keys(before).map((key) => [key, revisions.indexOf(key)]));
      for (const command of list) {
        commit((change) => apply(catalog, change, command));
        model.run(command);
        const after = model.views();
        assert.deepEqual(viewsOf(catalog), after, JSON.stringify(command));
        for (const resource of Object.keys(after)) {
          const changed = JSON.stringify(after[resource]) !== JSON.stringify(before[resource]);
          const [was, is] = [indexes[resource] as number, revisions.indexOf(resource)];
          if (changed) assert.ok(is > was, `${resource} changed by ${JSON.stringify(command)} and does not say so`);
          if (!changed)
            assert.ok(is === was || mayMove(resource, command), `${resource} woken by ${JSON.stringify(command)}`);
          assert.ok(is >= was && is >= 1);
          indexes = { ...indexes, [resource]: is };
        }
        before = after;
      }
      const replayed = setUp().catalog;
      for (const entry of logged) replayed.persistent.replay(entry);
      assert.deepEqual(viewsOf(replayed), viewsOf(catalog), 'the log tells the same story');
      const loaded = setUp().catalog;
      loaded.persistent.load(JSON.parse(JSON.stringify(catalog.persistent.save())));
      assert.deepEqual(viewsOf(loaded), viewsOf(catalog), 'so does the snapshot');
    }),
    { numRuns: 300 },
  );
});

/** What shows the checks of a service may move with its instances. */
const mayMove = (resource: string, command: Command): boolean =>
  resource.startsWith('service-checks:') && ['instance', 'no-instance', 'no-node'].includes(command.do);

test('a write to one service wakes nobody who waits for another', async () => {
  const { runtime, revisions, catalog, commit } = setUp();
  commit((change) => {
    catalog.putNode(change, node('n1'));
    catalog.putInstance(change, instance('n1', 'w', 'web', [], 1));
  });
  let woken = false;
  const gone = new AbortController();
  const waiting = revisions.wait('service:web', revisions.indexOf('service:web'), gone.signal, 1000).then(() => {
    woken = true;
  });
  commit((change) => {
    catalog.putInstance(change, instance('n1', 'a', 'api', [], 1));
    catalog.putCheck(change, check('n1', 'c', 'a', 'critical'));
    catalog.deleteInstance(change, 'n1', 'a');
  });
  await runtime.settle();
  assert.equal(woken, false);
  gone.abort();
  await waiting;
});

test('the last instance that goes wakes watchers once, and the first that comes wakes those of an unknown service', async () => {
  const { revisions, catalog, commit } = setUp();
  commit((change) => catalog.putNode(change, node('n1')));
  const unknown = revisions.wait('service:web', 1, new AbortController().signal, 1000);
  commit((change) => catalog.putInstance(change, instance('n1', 'w', 'web', [], 1)));
  await unknown;
  const index = revisions.indexOf('service:web');
  const extinct = revisions.wait('service:web', index, new AbortController().signal, 1000);
  commit((change) => catalog.deleteInstance(change, 'n1', 'w'));
  await extinct;
  const after = revisions.indexOf('service:web');
  assert.ok(after > index);
  commit((change) => catalog.putInstance(change, instance('n1', 'a', 'api', [], 1)));
  assert.equal(revisions.indexOf('service:web'), after);
});

test('the list of services moves with names and tags only', () => {
  const { revisions, catalog, commit } = setUp();
  const put = (id: string, tags: readonly string[], port: number) =>
    commit((change) => catalog.putInstance(change, instance('n1', id, 'web', tags, port)));
  commit((change) => catalog.putNode(change, node('n1')));
  put('1', ['a'], 1);
  const index = revisions.indexOf('services');
  put('1', ['a'], 2);
  put('2', ['a'], 1);
  commit((change) => catalog.deleteInstance(change, 'n1', '2'));
  assert.equal(revisions.indexOf('services'), index);
  put('1', ['a', 'b'], 2);
  assert.ok(revisions.indexOf('services') > index);
});

test('to put the same again changes nothing', () => {
  const { revisions, catalog, commit } = setUp();
  const same = (): void =>
    commit((change) => {
      catalog.putNode(change, node('n1'));
      catalog.putInstance(change, instance('n1', 'w', 'web', ['a'], 1));
      catalog.putCheck(change, check('n1', 'c', 'w', 'passing'));
    });
  same();
  const { current } = revisions;
  same();
  assert.equal(revisions.current, current);
});
