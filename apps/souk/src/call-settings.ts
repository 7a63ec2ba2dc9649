import { choice, duration, integer, json, port, type Setting, secret, text } from '@souk/config';
import { parseBalancing } from '@souk/discovery';
import { parseMethodLimits } from '@souk/rpc';
import { parseRegistryAddress } from './discovery/registry-address.ts';

/** Where a registry listens when nobody says: `souk up` runs one there, and whoever names another address runs it. */
export const DEFAULT_REGISTRY = 'http://127.0.0.1:8500';

const registryText = text({
  default: DEFAULT_REGISTRY,
  env: 'SOUK_REGISTRY',
  describe:
    'Where processes find each other: http:// or https:// (ours, or Consul), etcd://host:port (etcds: with TLS), kubernetes://namespace, or file:<path> of a list that is kept by hand. `souk up` runs one of its own for a split shop.',
});

const registry: Setting<string> = Object.freeze({
  ...registryText,
  allowed: 'an address: http://, https://, etcd://, etcds://, kubernetes:// or file:',
  parse: (raw: unknown) => {
    const given = registryText.parse(raw);
    parseRegistryAddress(given);
    return given;
  },
});

/** How processes of one shop are put together, find each other and call each other. In one process none of it matters. */
export const callSections = {
  topology: {
    plan: text({
      default: 'one',
      env: 'SOUK_TOPOLOGY',
      describe:
        'one: all services in one process. split: a process for each. Else the path of a file that says which share one.',
    }),
    instances: text({
      optional: true,
      pattern: /[\w=,\s-]*/,
      describe: 'How many processes of each kind: orders=2,edge=2. One of those that are not named.',
    }),
    registryPort: port({
      default: 8500,
      describe:
        'Port of the registry that `souk up` runs for a split shop, which speaks the HTTP API of Consul; 0: any free one.',
    }),
    dnsPort: port({ default: 8600, describe: "Port of that registry's DNS, UDP and TCP; 0: any free one." }),
  },
  calls: {
    key: secret({
      optional: true,
      env: 'SOUK_CALLS_KEY',
      describe:
        'What processes of one shop prove to each other that they belong together: at least 16 characters, the same in each. `souk up` makes one for a split shop.',
    }),
    host: text({
      default: '127.0.0.1',
      describe: 'Address at which a process takes calls of the others; 0.0.0.0 where these run on other machines.',
    }),
    port: port({ default: 0, describe: 'Port for calls of the other processes; 0: any free one.' }),
    advertise: text({
      optional: true,
      describe:
        'Address that others are told; by itself that of calls.host, or the name of the machine where that is every address.',
    }),
    channels: choice(['on', 'off'], {
      default: 'on',
      describe:
        'on: all calls to an instance share one connection, which costs a fraction of the work. off: each has a connection of HTTP/1.1 while it lasts, as for programs in between that know nothing else.',
    }),
    connections: integer({
      default: 64,
      min: 1,
      max: 1000,
      describe:
        'Connections to one instance at most for calls that do not share one: large messages, and all where channels are off. More run more calls at once; each costs both sides memory.',
    }),
    balancing: json({
      default: {},
      describe:
        'How calls are spread over instances, as JSON: by service, or * for all. For example {"orders": {"algorithm": "peakEwma"}}; see platform/discovery/BALANCING.md. A change of it in the file of settings holds within seconds.',
      check: (targets) => {
        for (const target of Object.values(targets)) parseBalancing(target);
      },
    }),
    limits: json({
      default: {},
      describe:
        'What single methods may take, as JSON by their names: {"souk.orders.v1.OrderService/WatchOrder": {"maxConcurrent": 100, "maxStreamMs": 600000}}; also maxMessageBytes and idleMs. By itself 1 MiB, 1000 streams at once of one hour.',
      check: (limits) => void parseMethodLimits(limits),
    }),
    drainDelay: duration({
      default: '1s',
      max: '1m',
      describe:
        'How long a process that leaves still takes calls, until all others have heard it. Shorter: restarts are sooner done; longer: slow registries and DNS are waited for.',
    }),
  },
  discovery: {
    registry,
    token: secret({
      optional: true,
      env: 'SOUK_REGISTRY_TOKEN',
      describe: 'What the registry wants to see: a token of Consul, or user:password of etcd.',
    }),
    ca: text({
      optional: true,
      describe:
        'File with the certificates (PEM) that may have signed that of the registry; by itself those that the system trusts.',
    }),
    cert: text({ optional: true, describe: 'File with the certificate (PEM) that is shown to the registry.' }),
    key: text({ optional: true, describe: 'File with the key (PEM) of that certificate.' }),
    zone: text({
      optional: true,
      env: 'SOUK_ZONE',
      describe:
        'Where this process runs. Calls go to instances of the same zone first; without one, zones do not matter.',
    }),
    weight: integer({
      default: 1,
      min: 0,
      max: 65_535,
      describe: 'Share of the calls that this process gets beside others of its kind; 0: none.',
    }),
    version: text({
      optional: true,
      env: 'SOUK_VERSION',
      describe: 'What this process says its version is, to split traffic by; by itself the version of the package.',
    }),
  },
};
