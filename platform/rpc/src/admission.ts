import type { IncomingHttpHeaders } from 'node:http';
import { type Criticality, isCriticality, lower, type PolicyRegistry } from '@souk/resilience';

/** What is asked for. */
export interface Wanted {
  /** Undefined: never refused. */
  readonly criticality?: Criticality | undefined;
  /** It will rather wait than work. */
  readonly waits?: boolean | undefined;
}

export interface Asking {
  readonly headers: IncomingHttpHeaders;
  readonly signal: AbortSignal;
}

/** Does the work, or refuses it when there is more to do than can be done. @throws RESILIENCE_SHED */
export type Admission = <T>(wanted: Wanted, asking: Asking, work: () => Promise<T>) => Promise<T>;

/**
 * The door of a process. Calls between services of one process pass no door: who was let in must not be refused halfway.
 *
 * Requests that ask the server to wait (`Prefer: wait`) have a policy of their own: they sleep rather than work, so their time says nothing
 * of the load, and they must not take the slots of those that work.
 */
export function createAdmission(policies: PolicyRegistry | undefined): Admission {
  if (policies === undefined) return (_wanted, _asking, work) => work();
  const working = policies.policy('server', 'server');
  const waiting = policies.policy('server:waiting', 'waiting');
  return (wanted, { headers, signal }, work) => {
    if (wanted.criticality === undefined) return work();
    const policy = wanted.waits === true || isWaiting(headers) ? waiting : working;
    const criticality = criticalityOf(wanted.criticality, headers);
    return policy.run(work, { signal, criticality, userHash: userHash(headers) });
  };
}

/** RFC 7240. */
const isWaiting = ({ prefer }: IncomingHttpHeaders): boolean => typeof prefer === 'string' && prefer.includes('wait');

/** A caller may say that less depends on its call, never that more does. */
function criticalityOf(own: Criticality, headers: IncomingHttpHeaders): Criticality {
  const said = headers['x-souk-criticality'];
  return isCriticality(said) ? lower(own, said) : own;
}

/** FNV-1a over the credential: the same user, the same number; it is kept nowhere. Undefined: nobody is signed in. */
function userHash({ authorization }: IncomingHttpHeaders): number | undefined {
  if (authorization === undefined) return undefined;
  let hash = 0x811c9dc5;
  for (let at = 0; at < authorization.length; at++) hash = Math.imul(hash ^ authorization.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
