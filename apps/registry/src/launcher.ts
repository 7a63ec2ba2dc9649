import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { registryErrors } from './errors.ts';
import { type Fields, parseFields } from './http/fields.ts';

/** What a start of `consul agent` says, in our terms. Undefined: not said. */
export interface Launch {
  readonly nodeName: string | undefined;
  readonly datacenter: string | undefined;
  /** Of this node in the catalog. */
  readonly advertise: string | undefined;
  readonly httpHost: string;
  readonly httpPort: number;
  /** Undefined: no DNS. */
  readonly dnsPort: number | undefined;
  readonly folder: string | undefined;
  readonly pidFile: string | undefined;
  readonly scriptChecks: boolean;
  /** Arguments that are settings of ours: `--registry.commit-delay=5ms`. */
  readonly settings: readonly string[];
}

const VALUES = [
  ...[
    'node',
    'datacenter',
    'bind',
    'client',
    'advertise',
    'config-file',
    'data-dir',
    'pid-file',
    'http-port',
    'dns-port',
  ],
  // Of a cluster, or of what we do in another way: taken, and not minded.
  ...[
    'bootstrap-expect',
    'log-level',
    'join',
    'retry-join',
    'node-id',
    'domain',
    'log-file',
    'config-dir',
    'serf-lan-bind',
  ],
];
const SWITCHES = ['dev', 'server', 'bootstrap', 'ui', 'enable-script-checks', 'enable-local-script-checks', 'rejoin'];

const HTTP_PORT = 8500;
const DNS_PORT = 8600;
const LOOPBACK = '127.0.0.1';
/** Means every address of the machine: nothing to be found under. */
const ANY = new Set(['0.0.0.0', '::']);

/**
 * Reads the command line of `consul agent`, with one dash or two, `-node a` or `-node=a`, and the files it names.
 * @throws REGISTRY_BAD_FLAG
 */
export function readLaunch(args: readonly string[]): Launch {
  const settings = args.filter((arg) => arg.startsWith('--registry.'));
  const flags = readFlags(args.filter((arg) => !arg.startsWith('--registry.')));
  const files = (flags.get('config-file') ?? []).map(readConfigFile);
  const say = (flag: string, field: string): string | undefined => {
    const said = flags.get(flag)?.at(-1) ?? files.map((file) => file.text(field)).findLast((text) => text !== '');
    return said === '' ? undefined : said;
  };
  const portOf = (flag: string, field: string, fallback: number): number => {
    const inFile = files.map((file) => file.object('ports')?.integer(field) ?? 0).findLast((port) => port !== 0);
    const port = Number(flags.get(flag)?.at(-1) ?? inFile ?? fallback);
    if (!Number.isInteger(port) || port > 65_535) throw bad(`-${flag}: want a port, 0 for any, -1 for none`);
    return port;
  };
  const bind = say('bind', 'bind_addr');
  const dnsPort = portOf('dns-port', 'dns', DNS_PORT);
  const dev = flags.has('dev');
  return {
    nodeName: say('node', 'node_name'),
    datacenter: say('datacenter', 'datacenter'),
    advertise: say('advertise', 'advertise_addr') ?? (bind === undefined || ANY.has(bind) ? undefined : bind),
    httpHost: say('client', 'client_addr') ?? LOOPBACK,
    httpPort: Math.max(0, portOf('http-port', 'http', HTTP_PORT)),
    dnsPort: dnsPort < 0 ? undefined : dnsPort,
    folder: dev ? undefined : say('data-dir', 'data_dir'),
    pidFile: say('pid-file', 'pid_file'),
    scriptChecks:
      flags.has('enable-script-checks') ||
      flags.has('enable-local-script-checks') ||
      files.some((file) => file.flag('enable_script_checks') || file.flag('enable_local_script_checks')),
    settings,
  };
}

function readFlags(args: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const flags = new Map<string, string[]>();
  const rest = args[0] === 'agent' ? args.slice(1) : [...args];
  for (let at = 0; at < rest.length; at += 1) {
    const [, name = '', value] = /^--?([a-z-]+)(?:=(.*))?$/s.exec(rest[at] as string) ?? [];
    if (SWITCHES.includes(name)) {
      if (value !== 'false') flags.set(name, []);
      continue;
    }
    if (!VALUES.includes(name)) {
      throw bad(`'${rest[at]}' is no flag of the registry: see its README, or write --registry.<setting>=<value>`);
    }
    const said = value ?? rest[++at];
    if (said === undefined) throw bad(`-${name} needs a value`);
    flags.set(name, [...(flags.get(name) ?? []), said]);
  }
  return flags;
}

function readConfigFile(path: string): Fields {
  try {
    return parseFields(readFileSync(path));
  } catch (cause) {
    const why = (cause as { code?: string }).code === 'ENOENT' ? 'there is no such file' : 'want a file of JSON';
    throw registryErrors.BAD_FLAG({ what: `-config-file ${path}: ${why}` }, { cause });
  }
}

/** So that scripts find whom to stop. @throws REGISTRY_BAD_FLAG */
export function writePidFile(path: string, pid: number): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, String(pid));
  } catch (cause) {
    throw registryErrors.BAD_FLAG({ what: `-pid-file ${path} cannot be written` }, { cause });
  }
}

const bad = (what: string) => registryErrors.BAD_FLAG({ what });
