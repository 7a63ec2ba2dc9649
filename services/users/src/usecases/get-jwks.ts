import type { GetJwksRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import type { UsersDeps } from '../deps.ts';

/** Public keys, from memory within a minute of the last look. A key may be kept for as long as an access token lives. */
export const getJwks = (deps: UsersDeps) => async (ctx: Context, _request: GetJwksRequest) => {
  await deps.parts.keys.refresh(ctx);
  return { keys: deps.parts.issuer.publicKeys().map((key) => ({ ...key })) };
};
