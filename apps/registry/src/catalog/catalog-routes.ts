import type { Route } from '../http/routes.ts';
import { filterOf, listReply, nodeMetaOf, required, tagsOf } from '../http/selection.ts';
import { encodeCatalogService, encodeNode, nodeShape, serviceShape } from '../http/shapes.ts';
import type { Module, World } from '../module.ts';
import type { CatalogStore } from '../state/catalog-store.ts';
import { applyDeregistration, applyRegistration, parseDeregistration, parseRegistration } from './catalog-writes.ts';

/** `/v1/catalog`: what there is, and registration of what other agents look after. */
export function createCatalogApi(world: World & { readonly catalog: CatalogStore }): Module {
  const { catalog, commits, datacenter, runtime } = world;

  const tagsByService = (query: URLSearchParams): Record<string, readonly string[]> => {
    const onNode = nodeMetaOf(query);
    if (!query.has('node-meta')) return Object.fromEntries(catalog.services());
    const chosen = [...catalog.services()].flatMap(([name]) => {
      const there = catalog.instancesOf(name).filter(({ node }) => onNode(node));
      const tags = new Set(there.flatMap(({ instance }) => instance.tags));
      return there.length === 0 ? [] : [[name, [...tags].sort()] as const];
    });
    return Object.fromEntries(chosen);
  };

  const servicesOn = (name: string, query: URLSearchParams) => {
    const passes = filterOf(query);
    return [...catalog.instancesOn(name)].map(serviceShape).filter(passes);
  };

  const routes: Route[] = [
    {
      method: 'GET',
      path: '/v1/catalog/datacenters',
      handle: () => ({ json: [datacenter] }),
    },
    {
      method: 'GET',
      path: '/v1/catalog/nodes',
      resource: () => 'nodes',
      handle: ({ query }) => listReply([...catalog.nodes()].filter(nodeMetaOf(query)).map(encodeNode), query),
    },
    {
      method: 'GET',
      path: '/v1/catalog/services',
      resource: ({ query }) => (query.has('node-meta') ? 'instances' : 'services'),
      handle: ({ query }) => ({ json: tagsByService(query) }),
    },
    {
      method: 'GET',
      path: '/v1/catalog/service/:name',
      resource: (request) => `service-instances:${required(request, 'service name').toLowerCase()}`,
      handle: ({ param, query }) => {
        const [tagged, onNode] = [tagsOf(query), nodeMetaOf(query)];
        const chosen = catalog.instancesOf(param).filter(({ instance, node }) => tagged(instance) && onNode(node));
        return listReply(chosen.map(encodeCatalogService), query);
      },
    },
    {
      method: 'GET',
      path: '/v1/catalog/node/:name',
      resource: (request) => `node:${required(request, 'node name').toLowerCase()}`,
      handle: ({ param, query }) => {
        const node = catalog.node(param);
        if (node === undefined) return { json: null };
        const services = servicesOn(param, query).map((service) => [service.ID, service]);
        return { json: { Node: nodeShape(node), Services: Object.fromEntries(services) } };
      },
    },
    {
      method: 'GET',
      path: '/v1/catalog/node-services/:name',
      resource: (request) => `node:${required(request, 'node name').toLowerCase()}`,
      handle: ({ param, query }) => {
        const node = catalog.node(param);
        return { json: node === undefined ? null : { Node: nodeShape(node), Services: servicesOn(param, query) } };
      },
    },
    {
      method: 'PUT',
      path: '/v1/catalog/register',
      handle: async ({ body }) => {
        const registration = parseRegistration(body, datacenter);
        const id = runtime.ids.uuid();
        await commits.run((change) => applyRegistration(catalog, change, registration, id));
        return { json: true };
      },
    },
    {
      method: 'PUT',
      path: '/v1/catalog/deregister',
      handle: async ({ body }) => {
        const deregistration = parseDeregistration(body, datacenter);
        await commits.run((change) => applyDeregistration(catalog, change, deregistration));
        return { json: true };
      },
    },
  ];
  return { routes };
}
