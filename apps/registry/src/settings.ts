import { choice, decimal, duration, flag, integer, list, type Settings, text } from '@souk/config';

export const registrySettings = {
  nodeName: text({ default: 'souk-registry', describe: 'Name of the node that is this registry.' }),
  datacenter: text({ default: 'dc1', describe: 'Name of the one datacenter there is.' }),
  advertise: text({
    default: '127.0.0.1',
    describe: 'Address of this node in the catalog: where instances are that name none themselves.',
  }),
  commitDelay: duration({
    default: '5ms',
    min: '0ms',
    max: '1s',
    describe:
      'Changes wait so long for others to go with them. Longer: fewer syncs, slower writes. 0: clients that start a watch and write at once miss the state between.',
  }),
  snapshotBytes: integer({
    default: 16 * 1024 * 1024,
    min: 1024,
    describe: 'Growth of the log until all state is written anew. Larger: fewer pauses, longer starts.',
  }),
  maxConnectionsPerClient: integer({
    default: 200,
    min: 1,
    describe: 'Connections that one IP address may have open. Raise it where many watchers share an address.',
  }),
  deregisterAfter: duration({
    default: '60s',
    min: '0ms',
    describe:
      'An instance whose heartbeats stopped, or whose probes fail, is removed after so long, unless its check says otherwise. 0: it stays, as in Consul.',
  }),
  reapInterval: duration({ default: '30s', min: '10ms', describe: 'How often instances to remove are looked for.' }),
  guardShare: decimal({
    default: 0.85,
    min: 0,
    max: 1,
    describe: 'While fewer than this share of instances are alive, none is removed. 0: no such guard.',
  }),
  guardFrom: integer({
    default: 5,
    min: 1,
    describe: 'Fewer instances than this are removed at once whatever the share of those that are alive.',
  }),
  failuresBeforeCritical: integer({
    default: 2,
    min: 1,
    describe: 'Failures in a row that make a probed check critical, unless it says otherwise.',
  }),
  successBeforePassing: integer({
    default: 1,
    min: 1,
    describe: 'Successes in a row that make a probed check pass, unless it says otherwise.',
  }),
  outputInterval: duration({
    default: '5m',
    min: '10ms',
    describe: 'Watchers are told of a text that changed while its status stayed after so long. Shorter: more wake-ups.',
  }),
  scriptChecks: flag({
    default: false,
    describe: 'Runs commands as checks. Whoever can reach the registry can then run any command as its user.',
  }),
  probeNetworks: list({
    default: ['127.0.0.0/8', '::1/128', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
    describe: 'Networks that probes may reach: loopback and private ones, unless others are named.',
  }),
  dnsTtl: duration({
    default: '0s',
    min: '0ms',
    describe: 'How long resolvers may keep an answer, in whole seconds. Longer: fewer questions, later news.',
  }),
  dnsOnlyPassing: flag({ default: false, describe: 'DNS leaves out instances with a warning too.' }),
  logFormat: choice(['json', 'pretty'], { default: 'json', describe: 'How the log is written.' }),
};

export type RegistrySettings = Settings<typeof registrySettings>;
