import type { PolicyView } from '@souk/resilience';
import { percent } from '../drawing/policy-words.ts';

/** Shares from which a person should look. */
const FAILING = 0.1;
const SLOW = 0.5;
const THROTTLED = 0.01;
/** Slots whose callers have gone, of all that are taken. */
const ZOMBIES = 0.2;

/** What is not well with a policy, in words, the worst first; none when all is. */
export function troublesOf({ breaker, bulkhead, shed, throttled, retryBudget, config }: PolicyView): string[] {
  const troubles: string[] = [];
  if (breaker !== undefined && breaker.state !== 'CLOSED')
    troubles.push(`breaker ${breaker.state}${breaker.eligible ? ', to be tried' : ''}`);
  const { failureRate = 0, slowRate = 0 } = breaker ?? {};
  if (failureRate >= FAILING) troubles.push(`${percent(failureRate)} fail`);
  if (slowRate >= SLOW) troubles.push(`${percent(slowRate)} are slow`);
  if (shed !== undefined && shed.share > 0) troubles.push(`sheds ${percent(shed.share)}`);
  if (throttled !== undefined && throttled >= THROTTLED) troubles.push(`throttles ${percent(throttled)}`);
  const gate = bulkhead ?? shed?.gate;
  if (gate !== undefined) {
    if (gate.overloaded) troubles.push('overloaded');
    if (gate.queued > 0) troubles.push(`full, ${gate.queued} wait`);
    if (gate.zombies > gate.limit * ZOMBIES) troubles.push(`${gate.zombies} slots without a caller`);
  }
  if (retryBudget === 0) troubles.push('no retries left');
  if (breaker?.advised) troubles.push('others advise care');
  if (config.mode !== undefined && config.mode !== 'enforce') troubles.push(`mode ${config.mode}`);
  return troubles;
}
