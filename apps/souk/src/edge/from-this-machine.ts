import type { IncomingHttpHeaders } from 'node:http';

/** Names by which a browser calls the machine it runs on. */
const OWN_NAME = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;
/** What a proxy adds when it passes on a request of somebody else. */
const PASSED_ON = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
] as const;

/**
 * Whether a request that came by the loopback address was meant for it. A page from elsewhere can let its own name point here and read the
 * answers as its own (DNS rebinding); a proxy on this machine brings requests of everybody.
 */
export const isFromThisMachine = (headers: IncomingHttpHeaders): boolean =>
  OWN_NAME.test(headers.host ?? '') && PASSED_ON.every((name) => headers[name] === undefined);
