import type { PolicyConfig } from './policy-config.ts';

/** A part of a configuration: what it names is laid over what was there, layer by layer; `null` takes a layer away. */
export type PolicyChange = { readonly [K in keyof PolicyConfig]?: PolicyConfig[K] | null };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function lay(under: unknown, over: unknown): unknown {
  if (!isObject(under) || !isObject(over)) return over;
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    if (value === null) delete merged[key];
    // A window is one thing: half of one and half of another is neither.
    else merged[key] = key === 'window' ? value : lay(merged[key], value);
  }
  return merged;
}

/** Later ones win. */
export const mergeConfig = (base: PolicyConfig, ...changes: readonly PolicyChange[]): PolicyConfig =>
  changes.reduce<unknown>(lay, base) as PolicyConfig;

/** `rpc:orders/*` fits `rpc:orders/place`; a name without a star fits itself. */
export const fits = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
