import type { CatalogStore } from '../state/catalog-store.ts';
import type { Change } from '../state/commits.ts';
import { OWN_CHECK, OWN_SERVICE } from './local-agent.ts';
import { API_VERSION, SERVER_PORT, type Self } from './self-routes.ts';

/** The registry lists itself, as its first change: node, service and the check that says it is alive. */
export function putOwnNode(catalog: CatalogStore, change: Change, self: Self, newId: string): void {
  const { nodeName: node, address, datacenter } = self;
  catalog.putNode(change, {
    ...{ id: catalog.node(node)?.id ?? newId, name: node, address, datacenter },
    taggedAddresses: { lan: address, lan_ipv4: address, wan: address, wan_ipv4: address },
    meta: { 'consul-network-segment': '', 'consul-version': API_VERSION },
  });
  catalog.putInstance(change, {
    ...{ node, id: OWN_SERVICE, service: OWN_SERVICE, kind: '', tags: [], address: '', port: SERVER_PORT },
    ...{
      taggedAddresses: {},
      meta: {},
      weights: { passing: 1, warning: 1 },
      enableTagOverride: false,
      souk: undefined,
    },
  });
  catalog.putCheck(change, {
    ...{ node, id: OWN_CHECK, name: 'Serf Health Status', status: 'passing', output: 'Agent alive and reachable' },
    ...{ notes: '', serviceId: '', serviceName: '', serviceTags: [], type: '', interval: '', timeout: '' },
    definition: {},
  });
}
