import { readExposition } from '../client/exposition.ts';

/** What the shop says of itself at one moment, on its page for metrics. */
export interface Figures {
  breaker(policy: string): string;
  /** What a policy has counted: `attempts`, `refused_breaker_open`. */
  did(policy: string, event: string): number;
  readonly placed: number;
  readonly confirmed: number;
  readonly rejected: number;
  /** Orders that were accepted and have no end yet. */
  readonly waiting: number;
  /** Policies whose breaker is not closed. */
  readonly notClosed: readonly string[];
  /** By metric: what must be nothing when all is done. */
  readonly underWay: Readonly<Record<string, number>>;
}

const STATES = ['CLOSED', 'HALF OPEN', 'OPEN', 'FORCED CLOSED', 'FORCED OPEN', 'METRICS ONLY', 'DISABLED'];
const DONE = ['souk_sagas_running', 'souk_sagas_stuck', 'souk_outbox_pending', 'souk_retry_pending', 'souk_dlq_depth'];

export async function readFigures(url: string): Promise<Figures> {
  const page = readExposition(await (await fetch(`${url}/metrics`)).text());
  const states = page.by('souk_breaker_state', 'policy');
  const { order_placed = 0, order_confirmed = 0, order_rejected = 0 } = page.by('business_events_total', 'event');
  return {
    // A policy is there when it is first used.
    breaker: (policy) => STATES[states[policy] ?? 0] as string,
    did: (policy, event) =>
      page.sum('souk_policy_events_total', (labels) => labels.policy === policy && labels.event === event),
    placed: order_placed,
    confirmed: order_confirmed,
    rejected: order_rejected,
    waiting: order_placed - order_confirmed - order_rejected,
    notClosed: Object.keys(states).filter((policy) => states[policy] !== 0),
    underWay: Object.fromEntries(DONE.map((metric) => [metric, page.sum(metric)])),
  };
}
