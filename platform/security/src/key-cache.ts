import { fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import { importJWK } from 'jose';
import { tokenErrors } from './errors.ts';
import { ALGORITHM, type PublicJwk } from './signing-key.ts';

type Key = Awaited<ReturnType<typeof importJWK>>;

/** Public keys by id, fetched when they are needed. */
export interface KeyCache {
  /** undefined: there is no such key. @throws TOKEN_KEYS_UNAVAILABLE when keys were never fetched and cannot be now */
  get(kid: string): Promise<Key | undefined>;
}

export interface KeyCacheOptions {
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly fetchKeys: () => Promise<readonly PublicJwk[]>;
  /** Milliseconds after which keys are fetched again. */
  readonly maxAgeMs: number;
  /** Shortest time between two fetches, in milliseconds: tokens with made-up key ids cause no more. */
  readonly cooldownMs: number;
}

// While the issuer cannot be reached, the keys that were fetched last stay good: signing in fails then, being signed in does not.
export function createKeyCache(options: KeyCacheOptions): KeyCache {
  const { clock } = options.runtime;
  let keys: ReadonlyMap<string, Key> | undefined;
  let fetchedMs = Number.NEGATIVE_INFINITY;
  let triedMs = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;

  const fetchNow = async (): Promise<void> => {
    triedMs = clock.monotonicMs();
    try {
      keys = await importAll(await options.fetchKeys());
      fetchedMs = clock.monotonicMs();
    } catch (cause) {
      if (keys === undefined) throw tokenErrors.KEYS_UNAVAILABLE({}, { cause });
      options.log.warn('keys of tokens cannot be fetched, the last ones stay good', { err: fromUnknown(cause) });
    } finally {
      fetching = undefined;
    }
  };

  return {
    get: async (kid) => {
      const nowMs = clock.monotonicMs();
      const isStale = nowMs - fetchedMs >= options.maxAgeMs || keys?.has(kid) !== true;
      // Without keys nothing can be checked, so that every caller tries.
      const mayFetch = keys === undefined || nowMs - triedMs >= options.cooldownMs;
      if (fetching !== undefined || (isStale && mayFetch)) {
        fetching ??= fetchNow();
        await fetching;
      }
      return keys?.get(kid);
    },
  };
}

async function importAll(published: readonly PublicJwk[]): Promise<ReadonlyMap<string, Key>> {
  const usable = published.filter((jwk) => jwk.kty === 'EC' && jwk.crv === 'P-256' && jwk.alg === ALGORITHM);
  const entries = usable.map(
    async ({ kid, kty, crv, x, y }) => [kid, await importJWK({ kty, crv, x, y }, ALGORITHM)] as const,
  );
  return new Map(await Promise.all(entries));
}
