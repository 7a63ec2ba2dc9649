import type { LogoutRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { sha256 } from '@souk/security';
import type { UsersDeps } from '../deps.ts';
import { endSession } from '../store/session-repository.ts';

/** Ends the session that a token belongs to, whether the token is the current one or was used before. */
export const logout = (deps: UsersDeps) => async (ctx: Context, request: LogoutRequest) => {
  await endSession(deps.db.at(ctx), sha256(request.refreshToken), new Date(deps.runtime.clock.now()));
  return {};
};
