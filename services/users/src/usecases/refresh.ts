import type { RefreshRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { randomToken, sha256 } from '@souk/security';
import type { UsersDeps } from '../deps.ts';
import { userErrors } from '../errors.ts';
import { endReusedSession, rotateToken } from '../store/session-repository.ts';
import { issueTokens } from './issue-tokens.ts';

/**
 * Trades a refresh token for its successor, once. There is no grace: whoever shows a used token again, be it a thief or a client that
 * lost the answer, ends the session for both.
 *
 * @throws USERS_REFRESH_INVALID, USERS_REFRESH_REUSED
 */
export const refresh = (deps: UsersDeps) => async (ctx: Context, request: RefreshRequest) => {
  await deps.parts.keys.refresh(ctx);
  const sql = deps.db.at(ctx);
  const now = new Date(deps.runtime.clock.now());
  const hash = sha256(request.refreshToken);
  const refreshToken = randomToken(deps.runtime.random);
  const session = await rotateToken(sql, hash, sha256(refreshToken), now);
  if (session !== undefined) return issueTokens(deps, session.user_id, session.roles, refreshToken);
  const reused = await endReusedSession(sql, hash, now);
  if (reused === undefined) throw userErrors.REFRESH_INVALID();
  ctx.log.warn('a refresh token was used twice; its session is over', { sessionId: reused.id, userId: reused.user_id });
  deps.count('refresh_reused');
  throw userErrors.REFRESH_REUSED();
};
