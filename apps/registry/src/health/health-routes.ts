import type { Route } from '../http/routes.ts';
import { listReply, nodeMetaOf, required, switchOf, tagsOf } from '../http/selection.ts';
import { encodeCheck, encodeHealth } from '../http/shapes.ts';
import type { Module, World } from '../module.ts';
import type { CheckEntry } from '../state/catalog.ts';

/** `/v1/health`: which instances can take work. */
export function createHealth({ catalog }: World): Module {
  const checks = (entries: Iterable<CheckEntry>, query: URLSearchParams) => {
    const onNode = nodeMetaOf(query);
    const chosen = [...entries].filter((check) => onNode(catalog.node(check.node)));
    return listReply(chosen.map(encodeCheck), query);
  };
  const routes: Route[] = [
    {
      method: 'GET',
      path: '/v1/health/service/:name',
      resource: (request) => `service:${required(request, 'service name').toLowerCase()}`,
      handle: ({ param, query }) => {
        const passing = switchOf(query, 'passing');
        const tagged = tagsOf(query);
        const onNode = nodeMetaOf(query);
        const chosen = catalog
          .instancesOf(param)
          .filter(
            ({ status, instance, node }) => (!passing || status === 'passing') && tagged(instance) && onNode(node),
          );
        return listReply(chosen.map(encodeHealth), query);
      },
    },
    {
      method: 'GET',
      path: '/v1/health/checks/:service',
      resource: (request) => `service-checks:${required(request, 'service name').toLowerCase()}`,
      handle: ({ param, query }) =>
        checks(
          catalog
            .instancesOf(param)
            .flatMap((entry) => entry.checks.filter(({ serviceId }) => serviceId === entry.instance.id)),
          query,
        ),
    },
    {
      method: 'GET',
      path: '/v1/health/node/:name',
      resource: (request) => `node-checks:${required(request, 'node name').toLowerCase()}`,
      handle: ({ param, query }) => checks(catalog.checksOn(param), query),
    },
    {
      method: 'GET',
      path: '/v1/health/state/:state',
      resource: (request) => `state:${required(request, 'check state')}`,
      handle: ({ param, query }) =>
        checks(
          [...catalog.checks()].filter(({ status }) => param === 'any' || status === param),
          query,
        ),
    },
  ];
  return { routes };
}
