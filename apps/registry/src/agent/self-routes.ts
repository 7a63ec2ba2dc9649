import type { Route } from '../http/routes.ts';
import type { Catalog } from '../state/catalog.ts';
import type { Member } from './members.ts';

/** The release of Consul whose API this one follows: clients compare it. */
export const API_VERSION = '1.20.0';
export const SERVER_PORT = 8300;
const GOSSIP_PORT = 8301;

/** Who this registry is, for those that ask its agent. */
export interface Self {
  readonly nodeName: string;
  readonly nodeId: () => string;
  readonly address: string;
  readonly datacenter: string;
}

export const ownMember = ({ nodeName, nodeId, address, datacenter }: Self): Member => ({
  Name: nodeName,
  Addr: address,
  Port: GOSSIP_PORT,
  Tags: { role: 'consul', dc: datacenter, id: nodeId(), port: String(SERVER_PORT), bootstrap: '1', build: API_VERSION },
  Status: 1,
});

export function selfRoutes(
  self: Self,
  options: {
    readonly catalog: Catalog;
    /** The page of Prometheus. */
    readonly exposition: () => { readonly type: string; readonly text: string };
    /** Numbers of `/v1/agent/metrics` in JSON. */
    readonly gauges: () => Readonly<Record<string, number>>;
    readonly now: () => number;
  },
): readonly Route[] {
  const { catalog, exposition, gauges, now } = options;
  const serverAddress = `${self.address}:${SERVER_PORT}`;
  return [
    {
      method: 'GET',
      path: '/v1/agent/self',
      handle: () => ({
        json: {
          Config: {
            Datacenter: self.datacenter,
            PrimaryDatacenter: self.datacenter,
            NodeName: self.nodeName,
            NodeID: self.nodeId(),
            Server: true,
            Revision: 'souk',
            Version: API_VERSION,
          },
          DebugConfig: {},
          Coord: { Vec: [], Error: 0, Adjustment: 0, Height: 0 },
          Member: ownMember(self),
          Meta: catalog.node(self.nodeName)?.meta ?? {},
          Stats: { agent: { check_monitors: '0' }, build: { version: API_VERSION, revision: 'souk' } },
        },
      }),
    },
    {
      method: 'GET',
      path: '/v1/agent/metrics',
      handle: ({ query }) => {
        if (query.get('format') === 'prometheus') {
          const { type, text } = exposition();
          return { text, headers: { 'content-type': type } };
        }
        const Gauges = Object.entries(gauges()).map(([Name, Value]) => ({ Name, Value, Labels: {} }));
        return {
          json: { Timestamp: new Date(now()).toISOString(), Gauges, Points: [], Counters: [], Samples: [] },
        };
      },
    },
    { method: 'PUT', path: '/v1/agent/reload', handle: () => ({}) },
    { method: 'GET', path: '/v1/status/leader', handle: () => ({ json: serverAddress }) },
    { method: 'GET', path: '/v1/status/peers', handle: () => ({ json: [serverAddress] }) },
  ];
}
