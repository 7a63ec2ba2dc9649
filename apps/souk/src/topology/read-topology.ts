import { readFile } from 'node:fs/promises';
import { appErrors } from '../errors.ts';
import type { ShopSettings } from '../settings.ts';
import { parseTopology, splitTopology, type Topology, withInstances } from './topology.ts';

/**
 * The topology that the settings name.
 *
 * @returns undefined: all in one process
 * @throws APP_TOPOLOGY_INVALID
 */
export async function readTopology(
  { plan, instances }: ShopSettings['topology'],
  services: readonly string[],
): Promise<Topology | undefined> {
  if (plan === 'one') {
    if (instances === undefined) return undefined;
    throw appErrors.TOPOLOGY_INVALID({
      why: 'in one process there is one instance of each service: add --topology split',
    });
  }
  const topology = plan === 'split' ? splitTopology(services) : parseTopology(await readJson(plan), services);
  return withInstances(topology, instances ?? '');
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const why =
      cause instanceof SyntaxError
        ? `${path} is no JSON: ${cause.message}`
        : `it is one, split or a file, and ${path} cannot be read`;
    throw appErrors.TOPOLOGY_INVALID({ why }, { cause });
  }
}
