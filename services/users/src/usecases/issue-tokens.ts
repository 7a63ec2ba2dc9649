import type { UsersDeps } from '../deps.ts';

/** The answer to a sign-in or refresh. The keys were refreshed before the session was changed, so that this does not fail after it. */
export async function issueTokens(deps: UsersDeps, userId: string, roles: readonly string[], refreshToken: string) {
  const { accessToken, expiresIn } = await deps.parts.issuer.issue({ userId, roles });
  return { accessToken, refreshToken, expiresIn, tokenType: 'Bearer', userId };
}
