// Finds the outside servers that suites of adapters run against, and fetches what is missing as packages of Debian. The packages are
// unpacked into a cache folder and never installed: nothing of the machine changes, no service starts, and no rights are needed.

import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

export interface Servers {
  /** The program. */
  readonly nats: string;
  /** Folder that holds `erts-*`. */
  readonly erlang: string;
  /** Folder that holds `plugins`. */
  readonly rabbitmq: string;
}

interface Product {
  readonly name: string;
  readonly packages: readonly string[];
  readonly isThere: (found: Partial<Servers>) => boolean;
}

const products: readonly Product[] = [
  { name: 'NATS', packages: ['nats-server'], isThere: ({ nats }) => nats !== undefined },
  {
    name: 'RabbitMQ',
    packages: [
      'rabbitmq-server',
      ...'asn1 base crypto eldap inets mnesia os-mon parsetools public-key runtime-tools ssl syntax-tools tools xmerl'
        .split(' ')
        .map((part) => `erlang-${part}`),
    ],
    isThere: ({ erlang, rabbitmq }) => erlang !== undefined && rabbitmq !== undefined,
  },
];

const cacheFolder = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'souk', 'infra');

/** What there is, on the machine or in the cache. */
export function findServers(): Partial<Servers> {
  const roots = ['/', ...globSync(join(cacheFolder(), 'root-*'))];
  const path = (process.env.PATH ?? '').split(':').filter((folder) => folder !== '');
  const nats = [...path, ...roots.map((root) => join(root, 'usr/sbin'))].map((folder) => join(folder, 'nats-server'));
  const first = (paths: readonly string[]) => paths.find((found) => existsSync(found));
  const natsFound = first(nats);
  // One root for both: RabbitMQ wants the Erlang it was packaged for.
  const root = roots.find(
    (one) =>
      globSync(join(one, 'usr/lib/erlang/erts-*/bin/erlexec')).length > 0 &&
      globSync(join(one, 'usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins')).length > 0,
  );
  return {
    ...(natsFound === undefined ? {} : { nats: natsFound }),
    ...(root === undefined
      ? {}
      : {
          erlang: join(root, 'usr/lib/erlang'),
          rabbitmq: globSync(join(root, 'usr/lib/rabbitmq/lib/rabbitmq_server-*')).sort().at(-1) as string,
        }),
  };
}

/**
 * Fetches what is missing. Two at once do no harm.
 *
 * @param say Gets a line for each thing that is done.
 * @throws an Error whose text says what is missing and how to get it
 */
export function installServers(say: (line: string) => void): Servers {
  const missing = products.filter(({ isThere }) => !isThere(findServers()));
  for (const product of missing) fetch(product, say);
  const found = findServers();
  const left = products.filter(({ isThere }) => !isThere(found));
  if (left.length > 0) throw new Error(`${left.map(({ name }) => name).join(' and ')} not found after unpacking`);
  return found as Servers;
}

function fetch({ name, packages }: Product, say: (line: string) => void): void {
  const cache = cacheFolder();
  const byHand = `install it yourself (Debian: ${packages.slice(0, 2).join(' ')}) and run this again`;
  if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg-deb')) {
    throw new Error(`${name} is not on this machine, and only Debian's packages can be fetched here: ${byHand}`);
  }
  say(`${name} is not on this machine: fetching ${packages.length} package(s) of Debian into ${cache}`);
  say('  (unpacked there, not installed; delete the folder to undo it)');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'work-'));
  try {
    for (const folder of ['lists/partial', 'archives/partial', 'debs', 'tree']) {
      mkdirSync(join(work, folder), { recursive: true });
    }
    // With lists of its own, apt-get needs no rights.
    const own = [`Dir::State::Lists=${work}/lists`, `Dir::Cache=${work}`, 'Debug::NoLocking=1'];
    if (process.getuid?.() === 0) own.push('APT::Sandbox::User=root');
    const apt = (...words: string[]) =>
      execFileSync('apt-get', ['-qq', ...own.flatMap((one) => ['-o', one]), ...words], {
        cwd: join(work, 'debs'),
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: 120_000,
      });
    apt('update');
    apt('download', ...packages);
    for (const deb of readdirSync(join(work, 'debs'))) {
      execFileSync('dpkg-deb', ['-x', join(work, 'debs', deb), join(work, 'tree')], { timeout: 60_000 });
    }
    tryIt(name, join(work, 'tree'));
    renameSync(join(work, 'tree'), join(cache, `root-${name.toLowerCase()}-${work.slice(-6)}`));
    say(`  ${name} is there`);
  } catch (error) {
    const stderr = (error as { stderr?: Buffer }).stderr?.toString().trim();
    throw new Error(`${name} could not be fetched: ${stderr || (error as Error).message}\n${byHand}`, { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Finds out about missing libraries here, where it can be said plainly. */
function tryIt(name: string, root: string): void {
  if (name === 'NATS') {
    execFileSync(join(root, 'usr/sbin/nats-server'), ['--version'], { timeout: 10_000, stdio: 'pipe' });
    return;
  }
  const erlang = join(root, 'usr/lib/erlang');
  execFileSync(
    globSync(join(erlang, 'erts-*/bin/erlexec'))[0] as string,
    ['-noshell', '-eval', 'ok = crypto:start(), halt().'],
    { env: erlangEnvironment(erlang), timeout: 30_000, stdio: 'pipe' },
  );
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
