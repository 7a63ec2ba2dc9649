import type { LoginRequest } from '@souk/contracts/users/v1/users';
import type { Context } from '@souk/kernel';
import { randomToken, sha256 } from '@souk/security';
import type { UsersDeps } from '../deps.ts';
import { foldKey, isEmailKey } from '../domain/identity.ts';
import { type Failures, lockedForMs } from '../domain/lockout.ts';
import { userErrors } from '../errors.ts';
import { type Candidate, countFailure, findCandidate, openSession, replaceHash } from '../store/session-repository.ts';
import { issueTokens } from './issue-tokens.ts';

/**
 * Signs in by e-mail address or user name. Nobody and a wrong password take the same statements, the same hash and the same lock, so neither answer nor
 * time tells who has an account.
 *
 * @throws USERS_BAD_CREDENTIALS, USERS_TOO_MANY_ATTEMPTS, PASSWORD_BUSY
 */
export const login = (deps: UsersDeps) => async (ctx: Context, request: LoginRequest) => {
  const { runtime, settings, parts } = deps;
  await parts.keys.refresh(ctx);
  const sql = deps.db.at(ctx);
  const key = foldKey(request.email);
  const strangerKey = sha256(key);
  const candidate = await findCandidate(sql, isEmailKey(key) ? 'email' : 'username', key, strangerKey);
  const seen = failuresOf(candidate);
  refuseLocked(deps, seen);

  const hash = candidate.password_hash ?? undefined;
  const { matches, needsRehash } = await parts.passwords.verify(request.password, hash);
  const now = runtime.clock.now();
  if (!matches || candidate.id === null || hash === undefined) {
    const forgetBefore = new Date(now - settings.forgetFailures);
    await countFailure(sql, candidate.id ?? strangerKey, new Date(now), forgetBefore);
    deps.count('login_failed');
    throw userErrors.BAD_CREDENTIALS();
  }

  const refreshToken = randomToken(runtime.random);
  const session = {
    id: runtime.ids.next('ses'),
    userId: candidate.id,
    passwordHash: hash,
    failuresSeen: seen?.count ?? 0,
    failuresAllowed: settings.loginFailures,
    tokenHash: sha256(refreshToken),
    expiresAt: new Date(now + settings.sessionTtl),
  };
  // A right guess among many at once gains nothing once the wrong ones have locked the account.
  if (!(await openSession(sql, session, new Date(now))))
    throw userErrors.TOO_MANY_ATTEMPTS({}, { afterMs: settings.lockout });
  if (needsRehash) await replaceHash(sql, candidate.id, hash, await parts.passwords.hash(request.password));
  deps.count('login');
  return issueTokens(deps, candidate.id, candidate.roles ?? [], refreshToken);
};

const failuresOf = ({ count, last_at }: Candidate): Failures | undefined =>
  count === null || last_at === null ? undefined : { count, lastAt: last_at.getTime() };

function refuseLocked(deps: UsersDeps, failures: Failures | undefined): void {
  const afterMs = lockedForMs(failures, deps.settings, deps.runtime.clock.now());
  if (afterMs === 0) return;
  deps.count('login_locked');
  throw userErrors.TOO_MANY_ATTEMPTS({}, { afterMs });
}
