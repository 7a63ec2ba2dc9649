import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@souk/kernel';
import { registryErrors } from '../errors.ts';
import { checksum, type DecodedLog, decodeLog } from './records.ts';

/** All state at one moment. */
export interface Snapshot {
  readonly rev: number;
  /** Written when the registry stopped in peace: nothing came after. */
  readonly clean: boolean;
  /** Number of the first log whose changes may be missing in it. */
  readonly log: number;
  /** By name of the persistent. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** The files of a registry: `snapshot.json`, and `changes.<n>.log` with what came after it. */
export interface DataFolder {
  readonly folder: string;
  /** Undefined when there is none, or none that can be read. */
  readSnapshot(): Promise<Snapshot | undefined>;
  /** Replaces the snapshot, all or nothing, and removes the logs that it makes superfluous. */
  writeSnapshot(snapshot: Snapshot): Promise<void>;
  /** Numbers of the logs, ascending. */
  logs(): Promise<readonly number[]>;
  /** A log that is broken in the middle is set aside after what is good in it was read. */
  readLog(number: number): Promise<DecodedLog>;
  logPath(number: number): string;
}

const SNAPSHOT = 'snapshot.json';
const LOG = /^changes\.(\d+)\.log$/;

/** @throws REGISTRY_FOLDER_UNUSABLE */
export async function openDataFolder(folder: string, log: Logger): Promise<DataFolder> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await readdir(folder);
  } catch (cause) {
    throw registryErrors.FOLDER_UNUSABLE({ folder, why: String((cause as { code?: string }).code) }, { cause });
  }
  const snapshotPath = join(folder, SNAPSHOT);
  const logPath = (number: number): string => join(folder, `changes.${number}.log`);

  const setAside = async (path: string, why: string): Promise<void> => {
    const to = await freeName(path);
    await rename(path, to);
    log.error('a data file is broken; it was set aside, and what it held after that point is lost', { path: to, why });
  };

  const logs = async (): Promise<readonly number[]> =>
    (await readdir(folder))
      .flatMap((name) => LOG.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((one, other) => one - other);

  return {
    folder,
    logs,
    logPath,
    readSnapshot: async () => {
      const text = await readFile(snapshotPath, 'utf8').catch(missing);
      if (text === undefined) return undefined;
      const snapshot = decodeSnapshot(text);
      if (snapshot === undefined) await setAside(snapshotPath, 'the checksum does not fit');
      return snapshot;
    },
    writeSnapshot: async (snapshot) => {
      const json = JSON.stringify(snapshot);
      const temporary = `${snapshotPath}.new`;
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(`${checksum(json)} ${json}`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, snapshotPath);
      await syncFolder(folder);
      for (const number of await logs()) if (number < snapshot.log) await rm(logPath(number));
    },
    readLog: async (number) => {
      const path = logPath(number);
      const decoded = decodeLog(await readFile(path));
      if (decoded.state === 'broken') await setAside(path, `it cannot be read after byte ${decoded.goodBytes}`);
      return decoded;
    },
  };
}

function decodeSnapshot(text: string): Snapshot | undefined {
  const json = text.slice(9);
  return checksum(json) === text.slice(0, 8) ? (JSON.parse(json) as Snapshot) : undefined;
}

function missing(thrown: unknown): undefined {
  if ((thrown as { code?: string }).code === 'ENOENT') return undefined;
  throw thrown;
}

async function freeName(path: string): Promise<string> {
  const taken = new Set(await readdir(join(path, '..')));
  const name = path.slice(path.lastIndexOf('/') + 1);
  let count = 1;
  while (taken.has(`${name}.broken-${count}`)) count += 1;
  return `${path}.broken-${count}`;
}

/** A new name is on disk only when its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
