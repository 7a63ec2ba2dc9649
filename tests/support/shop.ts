// The shop as people run it: a process of its own, on a port of its own, in a folder of its own.

import { join } from 'node:path';
import process from 'node:process';
import { systemRuntime } from '@souk/kernel';
import { fillFolder } from './cluster-cache.ts';
import { type Exit, type Running, repository, scratchFolder, serversOf, startNode } from './shop-process.ts';

export interface StartShopOptions {
  /** Data folder of a shop that ran before. @default a new one */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Further settings: `--demo.products=10`. */
  readonly args?: readonly string[];
  /** What to run instead of `souk up`. */
  readonly entry?: string;
  /** @default as the environment says: one process */
  readonly topology?: 'one' | 'split';
  /** Numbers of processes in a split shop: `orders=2`. */
  readonly instances?: string;
}

export interface ShopProcess {
  /** Another one after a restart. */
  readonly url: string;
  readonly folder: string;
  readonly pid: number;
  readonly adminPassword: string;
  /** Milliseconds the last start took. */
  readonly startMs: number;
  /** Resolves when the process of the moment ends. */
  readonly exit: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** Everything the process of the moment has written. */
  output(): string;
  /** Ends it at once, whatever it does. */
  kill9(): Promise<void>;
  /** Asks it to stop, and waits. */
  stop(): Promise<Exit>;
  /** Starts it again in the same folder, after it ended. */
  restart(changes?: Pick<StartShopOptions, 'env' | 'args' | 'entry'>): Promise<void>;
}

export const ADMIN_PASSWORD = 'the-keeper-of-the-souk';
export const soukCommand = join(repository, 'apps', 'souk', 'bin', 'souk.js');

/** How shops of tests run where a test does not say: SOUK_TEST_TOPOLOGY=split runs the same tests on many processes. */
export const topology: 'one' | 'split' = process.env.SOUK_TEST_TOPOLOGY === 'split' ? 'split' : 'one';

/** Many shops run at once, and none of them has other users. */
const SPLIT_SETTINGS = [
  '--topology.plan=split',
  '--topology.registry-port=0',
  '--topology.dns-port=0',
  '--calls.drain-delay=200ms',
];

/** For tests that run `souk up` themselves: as shops of tests run where a test does not say. */
export const topologySettings: readonly string[] = topology === 'split' ? SPLIT_SETTINGS : [];

/** Settings of a shop under test: quiet, on any port, with cheap passwords, since hundreds of buyers sign in. */
const SETTINGS = [
  '--users.password-memory=8',
  '--users.password-passes=1',
  '--demo.products=20',
  '--http.port=0',
  '--log.level=warn',
  '--log.format=json',
];

/** A setting that is given takes the place of ours. */
function settingsWith(own: readonly string[], args: readonly string[]): string[] {
  const nameOf = (setting: string) => setting.split('=')[0];
  const given = new Set(args.map(nameOf));
  return [...own.filter((setting) => !given.has(nameOf(setting))), ...args];
}

/** Starts a shop and waits until it is open. */
export async function startShop(options: StartShopOptions = {}): Promise<ShopProcess> {
  const folder = options.folder ?? scratchFolder();
  if (options.folder === undefined) await fillFolder(folder, systemRuntime());
  let given: StartShopOptions = options;
  let running!: Running;
  let url = '';
  let startMs = 0;
  const start = async (): Promise<void> => {
    const begun = performance.now();
    const split = (given.topology ?? topology) === 'split';
    const how = split ? SPLIT_SETTINGS : [];
    const count = given.instances === undefined ? [] : [`--topology.instances=${given.instances}`];
    const command = given.entry === undefined ? [soukCommand, 'up'] : [given.entry];
    running = startNode([...command, ...settingsWith([...SETTINGS, ...how, ...count], given.args ?? [])], {
      cwd: folder,
      env: { SOUK_DATA: folder, SOUK_ADMIN_PASSWORD: ADMIN_PASSWORD, ...given.env },
    });
    url = (await running.says(/The shop is open at (http:\S+)/))[1] as string;
    startMs = performance.now() - begun;
  };
  await start();
  return {
    get url() {
      return url;
    },
    get pid() {
      return running.pid;
    },
    get exit() {
      return running.exit;
    },
    get startMs() {
      return startMs;
    },
    folder,
    adminPassword: ADMIN_PASSWORD,
    signal: (name) => running.signal(name),
    output: () => running.output(),
    kill9: async () => {
      // All at once, as when a machine loses its power: nobody may start anything again meanwhile.
      running.signal('SIGSTOP');
      for (const pid of serversOf(running.pid)) process.kill(pid, 'SIGKILL');
      running.signal('SIGKILL');
      await running.exit;
    },
    stop: () => {
      running.signal('SIGTERM');
      return running.exit;
    },
    restart: async (changes = {}) => {
      await running.exit;
      given = { ...options, ...changes };
      await start();
    },
  };
}
