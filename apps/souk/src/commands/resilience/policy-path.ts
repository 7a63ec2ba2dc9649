export const POLICIES = '/api/v1/admin/resilience/policies';

/** Where a policy is over REST, or what can be done to it. */
export const policyPath = (name: string, verb?: 'isolate' | 'release' | 'reset'): string =>
  `${POLICIES}/${encodeURIComponent(name)}${verb === undefined ? '' : `/${verb}`}`;

/** As a shell takes it for one word. */
export const quoted = (word: string): string =>
  /^[\w:.@/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
