import type { SoukFacts } from '../state/catalog.ts';

// An instance of souk that registers through Consul's API says in its meta what Consul has no member for.

const OURS = 'souk-';
const INCARNATION = 'souk-incarnation';

/** Undefined for an instance that says nothing of the kind. */
export function factsOf(meta: Readonly<Record<string, string>>, ttlMs: number): SoukFacts | undefined {
  const incarnation = meta[INCARNATION] ?? '';
  if (incarnation === '') return undefined;
  const conditions = (meta['souk-conditions'] ?? 'ready serving').split(' ');
  const [ready, serving, terminating] = ['ready', 'serving', 'terminating'].map((name) => conditions.includes(name));
  return {
    protocol: meta['souk-protocol'] ?? 'http',
    version: meta['souk-version'] ?? '',
    zone: meta['souk-zone'] ?? '',
    ...{ incarnation, ttlMs },
    conditions: {
      ready: ready === true && terminating !== true,
      serving: serving === true,
      terminating: terminating === true,
    },
  };
}

/** Consul knows no weight of 0. */
export const weightIn = (meta: Readonly<Record<string, string>>, weight: number): number =>
  meta['souk-weight'] === '0' ? 0 : weight;

/** What is left when ours is taken out. */
export const plainMeta = (meta: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(meta).filter(([name]) => !name.startsWith(OURS)));
