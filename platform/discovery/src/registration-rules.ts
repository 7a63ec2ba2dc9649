import { discoveryErrors } from './errors.ts';
import type { Conditions, Registration } from './instance.ts';

const NAME = /^[A-Za-z0-9][\w.:-]{0,127}$/;
const META_KEY = /^[\w-]{1,128}$/;
/** Begin of the keys that drivers keep their own facts under. */
const RESERVED = 'souk-';
const MAX_TEXT = 512;
const MAX_LIST = 50;
const MAX_NUMBER = 65_535;

/**
 * The rules of all drivers together: what one registry takes, every other takes too.
 *
 * @throws DISCOVERY_REGISTRATION_REFUSED
 */
export function checkRegistration(registration: Registration, conditions: Conditions): void {
  const why = registrationProblem(registration) ?? conditionsProblem(conditions);
  if (why === undefined) return;
  throw discoveryErrors.REGISTRATION_REFUSED({ id: registration.id, service: registration.service, why });
}

/**
 * @throws DISCOVERY_REGISTRATION_REFUSED for conditions that nothing can be in
 */
export function checkConditions({ id, service }: Registration, conditions: Conditions): void {
  const why = conditionsProblem(conditions);
  if (why !== undefined) throw discoveryErrors.REGISTRATION_REFUSED({ id, service, why });
}

export const conditionsProblem = ({ ready, terminating }: Conditions): string | undefined =>
  ready && terminating ? 'it cannot be ready while it is terminating' : undefined;

/** What is wrong with it, in words. */
export function registrationProblem(registration: Registration): string | undefined {
  const { id, service, address, port, weight, tags, meta, version, zone, incarnation } = registration;
  if (!NAME.test(id)) return 'its id wants letters, digits, `.`, `_`, `:` or `-`, a letter or digit first, 128 at most';
  if (!NAME.test(service)) return 'its service wants the same characters as an id';
  if (address === '' || address.length > MAX_TEXT || /[\s/?#@]/.test(address)) {
    return 'its address wants to be a host name or an IP address';
  }
  if (address === '0.0.0.0' || address === '::')
    return `nobody can reach it at ${address}: want the address others use`;
  if (!isWhole(port, 1)) return `its port wants to be a whole number from 1 to ${MAX_NUMBER}, got ${port}`;
  if (!isWhole(weight, 0)) return `its weight wants to be a whole number from 0 to ${MAX_NUMBER}, got ${weight}`;
  const long = { version, zone, incarnation };
  for (const [name, text] of Object.entries(long)) if (text.length > MAX_TEXT) return `its ${name} is too long`;
  if (tags.length > MAX_LIST) return `it has ${tags.length} tags, ${MAX_LIST} is the most`;
  if (tags.some((tag) => tag === '' || tag.length > MAX_TEXT)) return 'a tag of it is empty or too long';
  return metaProblem(meta);
}

function metaProblem(meta: Registration['meta']): string | undefined {
  const entries = Object.entries(meta);
  if (entries.length > MAX_LIST) return `it has ${entries.length} entries of meta, ${MAX_LIST} is the most`;
  for (const [key, value] of entries) {
    if (!META_KEY.test(key)) return `meta key ${JSON.stringify(key)} wants letters, digits, \`_\` or \`-\``;
    if (key.startsWith(RESERVED)) return `meta key ${key} begins with ${RESERVED}, which is kept for the registries`;
    if (value.length > MAX_TEXT) return `the value of meta key ${key} is longer than ${MAX_TEXT}`;
  }
  return undefined;
}

const isWhole = (value: number, least: number): boolean =>
  Number.isInteger(value) && value >= least && value <= MAX_NUMBER;
