import { createPasswords, createTokenIssuer, type Passwords, type TokenIssuer } from '@souk/security';
import type { Deps } from '@souk/service';
import type { calls, UsersSettings } from './deps.ts';
import { createSigningKeys, type SigningKeys } from './store/signing-keys.ts';

/** What the handlers of this service share. */
export interface UsersParts {
  readonly passwords: Passwords;
  readonly keys: SigningKeys;
  /** Signs with `keys`, which have to be fresh: call `keys.refresh` before. */
  readonly issuer: TokenIssuer;
}

export function createParts({ db, runtime, settings }: Deps<typeof calls, UsersSettings>): UsersParts {
  const keys = createSigningKeys({ db, runtime, settings });
  return {
    keys,
    passwords: createPasswords({
      random: runtime.random,
      cost: { memoryKiB: settings.passwordMemory, passes: settings.passwordPasses, parallelism: 1 },
    }),
    issuer: createTokenIssuer({
      runtime,
      issuer: settings.issuer,
      audience: settings.audience,
      lifetimeMs: settings.accessTokenTtl,
      keys: keys.inOrder,
    }),
  };
}
