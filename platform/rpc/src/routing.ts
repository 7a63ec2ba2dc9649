import type { Routing } from '@souk/kernel';
import { AFFINITY_HEADER, VERSION_HEADER } from './wire.ts';

const LONGEST = 256;

/** What the caller wishes of the choice of instances, for the calls that follow from this one. What is too long is no wish. */
export function routingOf(headers: Readonly<Record<string, string | undefined>>): Routing | undefined {
  const version = wish(headers[VERSION_HEADER]);
  const affinity = wish(headers[AFFINITY_HEADER]);
  return version === undefined && affinity === undefined ? undefined : { version, affinity };
}

const wish = (value: string | undefined): string | undefined =>
  value === undefined || value === '' || value.length > LONGEST ? undefined : value;
