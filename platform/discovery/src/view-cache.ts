import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import type { Instance } from './instance.ts';
import { isMisread, readInstance } from './instance-json.ts';

/** Where the cache is kept. */
export interface CacheFiles {
  /** Throws when there is no such file. */
  read(path: string): Promise<string>;
  /** After it the file has either the old text or the new one, whatever crashes in between. */
  replace(path: string, text: string): Promise<void>;
}

/** What instances there were, for a start without a registry. */
export interface ViewCache {
  /** What an earlier run left; empty when there is nothing that can be read. */
  load(): Promise<ReadonlyMap<string, readonly Instance[]>>;
  /** Never throws: a disk that is full must not stop calls. */
  save(services: ReadonlyMap<string, readonly Instance[]>): Promise<void>;
  /** Why it cannot be read or written; undefined when all is well. */
  readonly lastError: string | undefined;
}

export interface ViewCacheInit {
  readonly path: string;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly files?: CacheFiles | undefined;
}

const FORMAT = 1;
/** Beyond it the file is something else. */
const MAX_LENGTH = 64 * 2 ** 20;

export function createViewCache({
  path,
  runtime,
  log,
  files = diskFiles(runtime.ids.uuid()),
}: ViewCacheInit): ViewCache {
  let lastError: string | undefined;

  /** Once for each trouble, not once for each write. */
  const report = (why: string, message: string, thrown?: unknown): void => {
    if (why !== lastError) log.warn(message, { path, why, ...(thrown !== undefined && { err: fromUnknown(thrown) }) });
    lastError = why;
  };

  return {
    get lastError() {
      return lastError;
    },
    load: async () => {
      let text: string;
      try {
        text = await files.read(path);
      } catch (thrown) {
        if (!isMissing(thrown)) report(whyOf(thrown), 'the cached instances cannot be read: they are left out', thrown);
        return new Map();
      }
      const found = parse(text);
      if (typeof found !== 'string') return found;
      report(found, 'the cached instances cannot be read: they are left out');
      return new Map();
    },
    save: async (services) => {
      const content = {
        format: FORMAT,
        savedAt: new Date(runtime.clock.now()).toISOString(),
        services: Object.fromEntries(services),
      };
      try {
        await files.replace(path, `${JSON.stringify(content)}\n`);
        lastError = undefined;
      } catch (thrown) {
        report(whyOf(thrown), 'the instances cannot be cached: a start without a registry will not know them', thrown);
      }
    },
  };
}

/** @returns why not, when it is no cache. A service that cannot be read is left out alone. */
function parse(text: string): ReadonlyMap<string, readonly Instance[]> | string {
  if (text.length > MAX_LENGTH) return `it has ${text.length} characters`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  if (!isObject(parsed) || parsed.format !== FORMAT || !isObject(parsed.services))
    return 'it is no cache of this format';
  const services = new Map<string, readonly Instance[]>();
  for (const [service, list] of Object.entries(parsed.services)) {
    if (!Array.isArray(list)) continue;
    const instances = list
      .map((value, at) => readInstance(value, `${service}[${at}]`))
      .filter((found) => !isMisread(found) && found.service === service);
    if (instances.length > 0) services.set(service, Object.freeze(instances as Instance[]));
  }
  return services;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';

const whyOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** @param mark Tells the unfinished files of two writers apart. */
const diskFiles = (mark: string): CacheFiles => ({
  read: (path) => readFile(path, 'utf8'),
  replace: async (path, text) => {
    const unfinished = `${path}.${mark}`;
    await mkdir(dirname(path), { recursive: true });
    try {
      // Flushed before it gets its name: after a power failure there is never a name without its text.
      await writeFile(unfinished, text, { mode: 0o600, flush: true });
      await rename(unfinished, path);
    } catch (thrown) {
      await rm(unfinished, { force: true });
      throw thrown;
    }
  },
});
