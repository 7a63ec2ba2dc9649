// Every error that a package can make, found by running its catalogues.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ErrorExtras, isSoukError, type SoukError } from '@souk/kernel';
import type { Tree } from '../check/tree.ts';

export interface CatalogueEntry {
  readonly reason: string;
  readonly code: string;
  /** Status over REST. */
  readonly status: number;
  readonly retry: string;
  /** With its placeholders: `there is no order {id}`. */
  readonly text: string;
}

export interface Catalogue {
  /** `services/orders` */
  readonly dir: string;
  readonly entries: readonly CatalogueEntry[];
}

type Factory = (parameters: Readonly<Record<string, string>>, extras?: ErrorExtras) => unknown;

/** Answers every parameter with its own placeholder. */
const placeholders = new Proxy({}, { get: (_, name) => `{${String(name)}}` });

/** Catalogues are loaded by the path of their file: a package exports of its errors only what others need. */
export async function readCatalogues({ root, modules }: Tree): Promise<Catalogue[]> {
  const load = (path: string): Promise<Record<string, unknown>> => import(pathToFileURL(join(root, path)).href);
  const { restStatus } = (await load('platform/rpc/src/http-status.ts')) as { restStatus(error: SoukError): number };
  const found = new Map<string, CatalogueEntry[]>();
  for (const { path, code, owner, isTest } of modules) {
    if (owner === undefined || isTest || !/(?<![\w$.])defineErrors\s*\(\s*['"]/.test(code)) continue;
    const entries = Object.values(await load(path)).flatMap((exported) => entriesOf(exported, restStatus));
    found.set(owner.dir, [...(found.get(owner.dir) ?? []), ...entries]);
  }
  return [...found].map(([dir, entries]) => ({ dir, entries }));
}

/** @returns nothing for what is no catalogue */
function entriesOf(exported: unknown, restStatus: (error: SoukError) => number): CatalogueEntry[] {
  if (typeof exported !== 'object' || exported === null || !Object.isFrozen(exported)) return [];
  const factories = Object.entries(exported);
  if (!factories.every(([key, make]) => /^[A-Z][A-Z0-9_]*$/.test(key) && typeof make === 'function')) return [];
  return factories.flatMap(([, make]) => {
    const error = (make as Factory)(placeholders);
    if (!isSoukError(error)) return [];
    const { reason, code, retry, message } = error;
    return [{ reason, code, status: restStatus(error), retry: retry.kind, text: message }];
  });
}
