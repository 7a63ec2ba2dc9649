import type { PolicyConfig } from './policy-config.ts';

/** A part of a configuration: what it names is laid over what was there, layer by layer; `null` takes a layer away. */
export type PolicyChange = { readonly [K in keyof PolicyConfig]?: PolicyConfig[K] | null };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function lay(under: unknown, over: unknown, keepsNulls: boolean): unknown {
  if (!isObject(over)) return over;
  const merged: Record<string, unknown> = isObject(under) ? { ...under } : {};
  for (const [key, value] of Object.entries(over)) {
    if (value !== null) {
      // A window is one thing: half of one and half of another is neither.
      merged[key] = key === 'window' ? value : lay(merged[key], value, keepsNulls);
    } else if (keepsNulls) merged[key] = null;
    else delete merged[key];
  }
  return merged;
}

/** Later ones win. */
export const mergeConfig = (base: PolicyConfig, ...changes: readonly PolicyChange[]): PolicyConfig =>
  changes.reduce<unknown>((under, over) => lay(under, over, false), base) as PolicyConfig;

/** One change for two, the later of which wins; what takes a layer away still does. */
export const mergeChanges = (first: PolicyChange, second: PolicyChange): PolicyChange =>
  lay(first, second, true) as PolicyChange;

/** `rpc:orders/*` fits `rpc:orders/place`; a name without a star fits itself. */
export const fits = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
