import { join } from 'node:path';
import process from 'node:process';
import {
  type Environment,
  type LoadedSettings,
  loadSettings,
  readEnvironment,
  readSettingsFile,
  type SettingsFile,
} from '@souk/config';
import { BUS_DATABASE } from './bus-setting.ts';
import { dataFolder } from './data-folder.ts';
import { createServices } from './services.ts';
import { sections } from './settings.ts';

export interface LoadedShopSettings extends LoadedSettings<typeof sections> {
  readonly env: Environment;
  /** Absolute path of the data folder. */
  readonly folder: string;
  /** Databases of single services, and of the bus, from `<SERVICE>_DATABASE_URL`. */
  readonly serviceUrls: Readonly<Record<string, string>>;
}

const FILE = 'souk.json';

/** Variables that are read for single services and the bus, next to the settings. */
const databaseVariables = (): readonly (readonly [service: string, variable: string])[] =>
  [...Object.keys(createServices()), BUS_DATABASE].map((name) => [name, `${name.toUpperCase()}_DATABASE_URL`] as const);

/** What steers tests of the shop is none of its settings, also when it runs in their process. */
const withoutTests = (env: Environment): Environment =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SOUK_TEST_')));

/** `souk.json` where the command was called, if there is one. */
export const readShopFile = (): Promise<SettingsFile | undefined> =>
  readSettingsFile(join(process.cwd(), FILE), { required: false });

/**
 * Settings from `souk.json` where the command was called, the environment and the command line.
 * @throws CONFIG_INVALID and what else is wrong with them
 */
export async function loadShopSettings(flags: readonly string[]): Promise<LoadedShopSettings> {
  const env = withoutTests(readEnvironment());
  const cwd = process.cwd();
  const loaded = loadSettings({
    sections,
    file: await readShopFile(),
    env,
    flags,
    knownEnv: ['SOUK_DEBUG'],
  });
  const serviceUrls = databaseVariables().flatMap(([service, variable]) => {
    const url = env[variable];
    return url === undefined ? [] : [[service, url] as const];
  });
  return {
    ...loaded,
    env,
    folder: dataFolder(loaded.values.store.data, cwd),
    serviceUrls: Object.fromEntries(serviceUrls),
  };
}
