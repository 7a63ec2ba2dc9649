import type { Logger, Runtime } from '@souk/kernel';
import { consulErrors } from './errors.ts';

/** PEM texts, as `node:tls` takes them. */
export interface ConsulTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name in the server's certificate, when it is another one than in the URL. */
  readonly servername?: string;
}

/** Times in milliseconds. */
export interface ConsulRegistryOptions {
  /** `http://host:8500` or `https://…` of an agent, or of our own registry; a path before `/v1` may follow. */
  readonly url: string;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Where instances are looked for. Registrations go to the agent's own. @default the agent's own */
  readonly datacenter?: string;
  /** Sent as `X-Consul-Token`. */
  readonly token?: string;
  readonly tls?: ConsulTls;
  /** An instance that is not heard of for so long takes no calls any more; it says that it lives every third of it. @default 15000 */
  readonly ttlMs?: number;
  /** After so long in that state it is taken out. Consul takes 60000 at least. @default 60000 */
  readonly deregisterAfterMs?: number;
  /** How long the registry holds a question to which nothing has changed. @default 30000 */
  readonly waitMs?: number;
  /** Longest wait for any other answer. @default 5000 */
  readonly requestMs?: number;
  /** How long `register`, `update` and `deregister` wait for a registry that is out of reach. @default 5000 */
  readonly patienceMs?: number;
  /** An answer with more bytes is not read to its end. @default 32 MiB */
  readonly maxAnswerBytes?: number;
}

export interface ConsulSettings extends Required<Omit<ConsulRegistryOptions, 'url' | 'datacenter' | 'token' | 'tls'>> {
  readonly url: URL;
  readonly datacenter: string | undefined;
  readonly token: string | undefined;
  readonly tls: ConsulTls;
}

/** @throws CONSUL_INVALID_OPTION */
export function toSettings(options: ConsulRegistryOptions): ConsulSettings {
  const settings = {
    url: toUrl(options.url),
    runtime: options.runtime,
    log: options.log,
    datacenter: options.datacenter,
    token: options.token,
    tls: options.tls ?? {},
    ttlMs: options.ttlMs ?? 15_000,
    deregisterAfterMs: options.deregisterAfterMs ?? 60_000,
    waitMs: options.waitMs ?? 30_000,
    requestMs: options.requestMs ?? 5000,
    patienceMs: options.patienceMs ?? 5000,
    maxAnswerBytes: options.maxAnswerBytes ?? 32 * 2 ** 20,
  };
  for (const option of ['ttlMs', 'deregisterAfterMs', 'waitMs', 'requestMs', 'patienceMs', 'maxAnswerBytes'] as const) {
    const found = settings[option];
    if (Number.isFinite(found) && found >= 1) continue;
    throw consulErrors.INVALID_OPTION({ option, wanted: 'a number of at least 1', found });
  }
  return Object.freeze(settings);
}

function toUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fits = (url?.protocol === 'http:' || url?.protocol === 'https:') && url.username === '' && url.password === '';
  // What was given may hold a password.
  if (!fits) {
    const wanted = 'http://host:port or https://host:port without a user';
    throw consulErrors.INVALID_OPTION({ option: 'url', wanted, found: url?.protocol ?? 'no URL' });
  }
  return url as URL;
}
