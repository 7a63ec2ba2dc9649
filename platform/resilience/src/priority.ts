/**
 * How much depends on a call, the most first. What is least important is refused first when there is too much to do.
 *
 * | class | for example |
 * |---|---|
 * | critical_plus | taking money, undoing what was done |
 * | critical | checkout |
 * | default | cart, login |
 * | sheddable_plus | browsing, searching |
 * | sheddable | recommendations, reports, work ahead of time |
 */
export const CRITICALITIES = ['critical_plus', 'critical', 'default', 'sheddable_plus', 'sheddable'] as const;

export type Criticality = (typeof CRITICALITIES)[number];

const RANKS: Readonly<Record<Criticality, number>> = {
  critical_plus: 0,
  critical: 1,
  default: 2,
  sheddable_plus: 3,
  sheddable: 4,
};

/** 0 is the most important. */
export const rankOf = (criticality: Criticality): number => RANKS[criticality];

export const isCriticality = (value: unknown): value is Criticality => CRITICALITIES.includes(value as Criticality);

/** The less important of two: whoever passes a call on may lower its class, never raise it. */
export const lower = (one: Criticality, other: Criticality): Criticality => (RANKS[one] >= RANKS[other] ? one : other);
