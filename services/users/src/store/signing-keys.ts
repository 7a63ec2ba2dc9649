import { type Context, fromUnknown, type Runtime } from '@souk/kernel';
import { createSigningKey, type SigningKey } from '@souk/security';
import type { Database } from '@souk/store';
import type { UsersSettings } from '../deps.ts';
import { dueKey, type KeyTime, shownKeys, signingKey } from '../domain/key-ring.ts';
import { createKeySeal } from './key-seal.ts';

/** The service's signing keys: in the database, so that all instances share them, and remembered for a while. */
export interface SigningKeys {
  /**
   * Reads the keys again when they were read a minute ago or more, and makes the next one when it is due. With keys at hand, a
   * database that does not answer is reported to the log and they go on being used.
   *
   * @throws USERS_SIGNING_KEY_SEALED, and whatever the database says when there is no key at hand
   */
  refresh(ctx: Context): Promise<void>;
  /** Every key that a verifier needs now, the signing one first. */
  inOrder(): readonly SigningKey[];
  /** Removes keys that no good token was signed with. */
  retire(ctx: Context): Promise<void>;
}

interface KeyRow {
  readonly generation: number;
  readonly kid: string;
  readonly private_key: string;
  readonly signs_from: Date;
}

type HeldKey = SigningKey & KeyTime;

/** Less than a key is shown before it signs, so that every instance knows it in time. */
const FRESH_MS = 60_000;

const READ = 'select generation, kid, private_key, signs_from from signing_key order by generation';
// Two instances may make the next key at once: the first one counts.
const ADD = `
  insert into signing_key (generation, kid, private_key, signs_from) values ($1, $2, $3, $4)
  on conflict (generation) do nothing`;

export function createSigningKeys(init: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly settings: UsersSettings;
}): SigningKeys {
  const { db, settings } = init;
  const { clock, ids, random } = init.runtime;
  const seal = createKeySeal(settings.keyEncryptionKey, random);
  /** Oldest first. */
  let held: readonly HeldKey[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;

  const read = async (ctx: Context): Promise<HeldKey[]> => {
    const { rows } = await db.at(ctx).query<KeyRow>(READ);
    return rows.map(({ generation, kid, private_key, signs_from }) => {
      // The same object for the same key: the issuer remembers what it imported by it.
      const known = held.find((key) => key.kid === kid);
      const jwk = known?.jwk ?? (JSON.parse(seal.open(kid, private_key)) as SigningKey['jwk']);
      return known ?? Object.freeze({ generation, kid, jwk, signsFrom: signs_from.getTime() });
    });
  };

  const load = async (ctx: Context): Promise<void> => {
    let keys = await read(ctx);
    const due = dueKey(keys, settings, clock.now());
    if (due !== undefined) {
      const { kid, jwk } = await createSigningKey(ids);
      const stored = seal.seal(kid, JSON.stringify(jwk));
      await db.at(ctx).query(ADD, [due.generation, kid, stored, new Date(due.signsFrom)]);
      keys = await read(ctx);
    }
    held = keys;
    readAtMs = clock.monotonicMs();
  };

  return {
    refresh: async (ctx) => {
      if (clock.monotonicMs() - readAtMs < FRESH_MS) return;
      try {
        await load(ctx);
      } catch (error) {
        if (held.length === 0) throw error;
        ctx.log.warn('signing keys were not read again; the known ones go on', { err: fromUnknown(error) });
      }
    },
    inOrder: () => {
      const now = clock.now();
      const signing = signingKey(held, now);
      const others = shownKeys(held, settings, now).filter((key) => key !== signing);
      return signing === undefined ? others : [signing, ...others];
    },
    retire: async (ctx) => {
      const [oldest] = shownKeys(held, settings, clock.now());
      if (oldest === undefined) return;
      await db.at(ctx).query('delete from signing_key where generation < $1', [oldest.generation]);
    },
  };
}
