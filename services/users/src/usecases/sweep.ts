import type { Context } from '@souk/kernel';
import type { UsersDeps } from '../deps.ts';
import { sweepSessions } from '../store/session-repository.ts';

/** Removes what is over and makes the next signing key in time. Every instance may do it. */
export const sweep = (deps: UsersDeps) => async (ctx: Context) => {
  const now = deps.runtime.clock.now();
  await deps.parts.keys.refresh(ctx);
  await deps.parts.keys.retire(ctx);
  await sweepSessions(deps.db.at(ctx), new Date(now), new Date(now - deps.settings.forgetFailures));
};
