// Finds the outside programs that suites of adapters run against, and fetches what is missing as packages of Debian. The packages are
// unpacked into a cache folder and never installed: nothing of the machine changes, no service starts, and no rights are needed.

import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

export interface Servers {
  /** The program, as all others that are not said to be something else. */
  readonly nats: string;
  /** Folder that holds `erts-*`. */
  readonly erlang: string;
  /** Folder that holds `plugins`. */
  readonly rabbitmq: string;
  readonly etcd: string;
  readonly prometheus: string;
  readonly dig: string;
  readonly haproxy: string;
}

interface Product {
  readonly name: string;
  readonly packages: readonly string[];
  /** Libraries that the machine does not have are fetched too. */
  readonly withLibraries?: boolean;
  /** Of Debian, when the machine's own is no good. */
  readonly release?: string;
  /** What of it is under a root; `/` is the machine itself. */
  readonly find: (root: string) => Partial<Servers> | undefined;
  /** Runs it once, so that a missing library is found out about here, where it can be said plainly. */
  readonly tryIt: (found: Partial<Servers>) => void;
}

const products: readonly Product[] = [
  program('NATS', 'nats', 'nats-server', ['nats-server'], '--version'),
  {
    name: 'RabbitMQ',
    packages: [
      'rabbitmq-server',
      ...'asn1 base crypto eldap inets mnesia os-mon parsetools public-key runtime-tools ssl syntax-tools tools xmerl'
        .split(' ')
        .map((part) => `erlang-${part}`),
    ],
    // One root for both: RabbitMQ wants the Erlang it was packaged for.
    find: (root) => {
      const rabbitmq = globSync(join(root, 'usr/lib/rabbitmq/lib/rabbitmq_server-*')).sort().at(-1);
      const erlang = join(root, 'usr/lib/erlang');
      const isThere = rabbitmq !== undefined && globSync(join(erlang, 'erts-*/bin/erlexec')).length > 0;
      return isThere && existsSync(join(rabbitmq, 'plugins')) ? { erlang, rabbitmq } : undefined;
    },
    tryIt: ({ erlang = '' }) => {
      const erlexec = globSync(join(erlang, 'erts-*/bin/erlexec'))[0] as string;
      run(erlexec, ['-noshell', '-eval', 'ok = crypto:start(), halt().'], erlangEnvironment(erlang));
    },
  },
  program('etcd', 'etcd', 'etcd', ['etcd-server'], '--version'),
  // Debian's later builds know no consul_sd, and what is on the machine may be one of them.
  { ...program('Prometheus', 'prometheus', 'prometheus', ['prometheus'], '--version', ['/']), release: 'bullseye' },
  { ...program('dig', 'dig', 'dig', ['bind9-dnsutils'], '-v'), withLibraries: true },
  { ...program('HAProxy', 'haproxy', 'haproxy', ['haproxy'], '-v'), withLibraries: true },
];

/** A product that is a single program. @param except Roots where it is not looked for. */
function program(
  name: string,
  key: keyof Servers,
  file: string,
  packages: readonly string[],
  version: string,
  except: readonly string[] = [],
): Product {
  return {
    name,
    packages,
    find: (root) => {
      if (except.includes(root)) return undefined;
      const folders = ['usr/bin', 'usr/sbin'].map((folder) => join(root, folder));
      const searched = root === '/' ? [...searchPath(), ...folders] : folders;
      const found = searched.map((folder) => join(folder, file)).find((path) => existsSync(path));
      return found === undefined ? undefined : { [key]: found };
    },
    tryIt: (found) => run(found[key] as string, [version], libraryEnvironment(found[key] as string)),
  };
}

const searchPath = (): string[] => (process.env.PATH ?? '').split(':').filter((folder) => folder !== '');

const cacheFolder = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'souk', 'infra');

const allRoots = (): string[] => ['/', ...globSync(join(cacheFolder(), 'root-*'))];

/** What there is, on the machine or in the cache. */
export function findServers(): Partial<Servers> {
  const found = products.map(({ find }) =>
    allRoots()
      .map(find)
      .find((one) => one !== undefined),
  );
  return Object.assign({}, ...found);
}

/**
 * Fetches what is missing. Two at once do no harm.
 *
 * @param say Gets a line for each thing that is done.
 * @throws an Error whose text says what is missing and how to get it
 */
export function installServers(say: (line: string) => void): Servers {
  const missing = products.filter(({ find }) => !allRoots().some((root) => find(root) !== undefined));
  if (missing.length > 0) fetchAll(missing, say);
  return findServers() as Servers;
}

function fetchAll(missing: readonly Product[], say: (line: string) => void): void {
  const cache = cacheFolder();
  const names = missing.map(({ name }) => name).join(', ');
  const byHand = `install it yourself (Debian: ${missing.map(({ packages }) => packages.slice(0, 2).join(' ')).join(' ')}) and run this again`;
  if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg-deb')) {
    throw new Error(`not on this machine, and only Debian's packages can be fetched here: ${names}; ${byHand}`);
  }
  say(`not on this machine, fetching packages of Debian into ${cache}: ${names}`);
  say('  (unpacked there, not installed; delete the folder to undo it)');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'work-'));
  let name = names;
  try {
    const updated = new Map<string, Apt>();
    for (const product of missing) {
      name = product.name;
      const apt = updated.get(product.release ?? '') ?? openApt(work, product.release);
      updated.set(product.release ?? '', apt);
      fetch(product, work, apt);
      say(`  ${name} is there`);
    }
  } catch (error) {
    const stderr = (error as { stderr?: Buffer }).stderr?.toString().trim();
    throw new Error(`${name} could not be fetched: ${stderr || (error as Error).message}\n${byHand}`, { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function fetch({ name, packages, withLibraries, find, tryIt }: Product, work: string, apt: Apt): void {
  const [debs, tree] = [join(work, 'debs'), join(work, 'tree')];
  for (const folder of [debs, tree]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  }
  if (withLibraries) {
    const archives = `Dir::Cache::Archives=${debs}`;
    mkdirSync(join(debs, 'partial'));
    apt(debs, '-o', archives, 'install', '--download-only', '--no-install-recommends', ...packages);
  } else {
    apt(debs, 'download', ...packages);
  }
  for (const deb of readdirSync(debs).filter((file) => file.endsWith('.deb'))) {
    run('dpkg-deb', ['-x', join(debs, deb), tree]);
  }
  const found = find(tree);
  if (found === undefined) throw new Error('it is not in its packages');
  tryIt(found);
  renameSync(tree, join(cacheFolder(), `root-${name.toLowerCase()}-${work.slice(-6)}`));
}

/** Runs apt-get in a folder. */
type Apt = (cwd: string, ...words: string[]) => void;

/** A release that is not kept up any more moves from the one to the other. */
const MIRRORS = ['http://deb.debian.org/debian', 'http://archive.debian.org/debian'];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** With lists and locks of its own, apt-get needs no rights. @param release Another than the machine's. */
function openApt(work: string, release: string | undefined): Apt {
  const folder = join(work, release ?? 'own');
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(folder, part), { recursive: true });
  const options = [`Dir::State::Lists=${folder}/lists`, `Dir::Cache=${folder}`, 'Debug::NoLocking=1'];
  if (process.getuid?.() === 0) options.push('APT::Sandbox::User=root');
  const sources = join(folder, 'sources.list');
  if (release !== undefined) options.push(`Dir::Etc::SourceList=${sources}`, 'Dir::Etc::SourceParts=-');
  const apt: Apt = (cwd, ...words) =>
    void execFileSync('apt-get', ['-qq', ...options.flatMap((one) => ['-o', one]), ...words], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 120_000,
    });
  const update = (mirrors: readonly string[]): void => {
    if (release !== undefined) writeFileSync(sources, `deb [signed-by=${KEYRING}] ${mirrors[0]} ${release} main\n`);
    try {
      apt(folder, 'update');
    } catch (error) {
      if (release === undefined || mirrors.length === 1) throw error;
      update(mirrors.slice(1));
    }
  };
  update(MIRRORS);
  return apt;
}

const run = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): void =>
  void execFileSync(command, args, { env, timeout: 60_000, stdio: 'pipe' });

/** What a program of the cache needs to find the libraries that were unpacked beside it. */
export function libraryEnvironment(path: string): Record<string, string> {
  const root = /^.*\/(?:root-[^/]+|work-[^/]+\/tree)(?=\/)/.exec(path)?.[0];
  const folders = root === undefined ? [] : globSync(join(root, '{usr/lib,lib}/*-linux-gnu*'));
  return {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '/',
    ...(folders.length === 0 ? {} : { LD_LIBRARY_PATH: folders.join(':') }),
  };
}

/** Erlang's own start script holds a fixed path; these variables stand in for it. */
export function erlangEnvironment(erlang: string): Record<string, string> {
  const bin = join(globSync(join(erlang, 'erts-*')).sort().at(-1) as string, 'bin');
  return {
    ROOTDIR: erlang,
    BINDIR: bin,
    EMU: 'beam',
    PROGNAME: 'erl',
    PATH: `${bin}:${process.env.PATH ?? ''}`,
    HOME: process.env.HOME ?? '/',
  };
}
