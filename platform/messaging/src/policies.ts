import { isSoukError } from '@souk/kernel';
import { type Classify, classifyError, type Policy, type PolicyRegistry } from '@souk/resilience';
import type { Bus } from './bus.ts';
import type { Outcome } from './delivery.ts';

/** They are no news of the broker: what it has is full, or we are going. */
const NOT_OF_THE_BROKER: ReadonlySet<string> = new Set(['MESSAGING_BUS_FULL', 'MESSAGING_SUBSCRIPTION_CLOSED']);

const classifyPublish: Classify = (error) =>
  isSoukError(error) && NOT_OF_THE_BROKER.has(error.reason) ? 'ignored' : classifyError(error);

/**
 * What goes to a broker goes through `publish:<bus>`. A bus that is not durable has no broker: there it is a subscription that refuses, and
 * one that is in trouble must not hold up the others.
 */
export const publishPolicy = (policies: PolicyRegistry | undefined, { name, can }: Bus): Policy | undefined =>
  can.durable ? policies?.policy(`publish:${name}`, 'publish', { classify: classifyPublish }) : undefined;

/** What the handlers of a service go through. A handler that fails is an answer: `Outcome`. */
export const consumePolicy = (policies: PolicyRegistry | undefined, service: string): Policy | undefined =>
  policies?.policy(`consume:${service}`, 'consume', {
    classifyValue: (value) => {
      const outcome = value as Outcome;
      return outcome.is === 'failed' ? classifyError(outcome.error) : 'success';
    },
  });
