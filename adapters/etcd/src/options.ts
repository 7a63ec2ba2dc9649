import { isIP } from 'node:net';
import { type Logger, type Runtime, silentLogger } from '@souk/kernel';
import { etcdErrors } from './errors.ts';

/** Times in milliseconds. */
export interface EtcdRegistryOptions {
  /** Client URLs of one or more members of one cluster, `http://host:port` or `https://name:port`. One is used at a time. */
  readonly hosts: readonly string[];
  readonly runtime: Runtime;
  readonly log?: Logger;
  /** What all keys begin with; systems with different ones do not see each other. @default '/souk/svc/' */
  readonly prefix?: string;
  readonly auth?: { readonly username: string; readonly password: string };
  /** PEM. Without it `https` trusts what the system trusts. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
  /**
   * An instance that is not heard of for so long is gone. Renewed three times as often. Whole seconds; a server raises what is too small
   * for its elections (2 s as it comes). Lower: faster failover, more writes. @default 15000
   */
  readonly ttlMs?: number;
  /** Longest wait for an answer. @default 3000, or a third of `ttlMs` when that is less */
  readonly callMs?: number;
  /** How long `register`, `update` and `deregister` wait for a server that is out of reach before they go on by themselves. @default 5000 */
  readonly patienceMs?: number;
  /** A connection on which nothing is heard for so long is asked; without an answer in `callMs` it is given up. The server refuses less than 5 s. @default 6000 */
  readonly pingMs?: number;
}

export type EtcdSettings = Required<Omit<EtcdRegistryOptions, 'auth' | 'tls'>> &
  Pick<EtcdRegistryOptions, 'auth' | 'tls'>;

/** @throws ETCD_INVALID_OPTION */
export function toSettings(options: EtcdRegistryOptions): EtcdSettings {
  const ttlMs = options.ttlMs ?? 15_000;
  const settings: EtcdSettings = {
    prefix: '/souk/svc/',
    patienceMs: 5000,
    pingMs: 6000,
    ...options,
    ttlMs,
    callMs: options.callMs ?? Math.min(3000, ttlMs / 3),
    log: (options.log ?? silentLogger).with({ registry: 'etcd' }),
  };
  const wrong = (option: string, wanted: string, found: string | number) =>
    etcdErrors.INVALID_OPTION({ option, wanted, found });
  if (settings.hosts.length === 0) throw wrong('hosts', 'at least one', 'none');
  for (const host of settings.hosts) {
    const url = URL.canParse(host) ? new URL(host) : undefined;
    const isPlain = url?.username === '' && url.password === '';
    if (!isPlain) throw wrong('hosts', 'http://host:port or https://host:port, without credentials', 'something else');
    if (!/^https?:$/.test(url.protocol)) throw wrong('hosts', 'http: or https:', url.protocol);
    const isAddress = isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0;
    if (url.protocol === 'https:' && isAddress) {
      throw wrong('hosts', 'a host name: gRPC cannot check the certificate of an IP address', host);
    }
    // The library takes what is behind the scheme as it is.
    if (!/^https?:\/\/[^/]+:\d+$/.test(host)) throw wrong('hosts', 'a port, and nothing behind it', host);
  }
  if (new Set(settings.hosts.map((host) => new URL(host).protocol)).size > 1) {
    throw wrong('hosts', 'all with http or all with https', 'both');
  }
  if (!settings.prefix.endsWith('/')) throw wrong('prefix', 'a / at its end', settings.prefix);
  if (!Number.isInteger(ttlMs / 1000) || ttlMs < 1000) throw wrong('ttlMs', 'whole seconds', ttlMs);
  for (const option of ['callMs', 'patienceMs', 'pingMs'] as const) {
    if (!(settings[option] > 0)) throw wrong(option, 'more than 0', settings[option]);
  }
  return Object.freeze(settings);
}
