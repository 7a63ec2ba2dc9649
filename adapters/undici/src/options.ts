import type { Runtime } from '@souk/kernel';
import type { WireRequest } from '@souk/rpc';
import type { Telemetry } from '@souk/telemetry';

/** PEM texts. */
export interface ClientTls {
  /** Who may have signed the certificates of servers. */
  readonly ca?: string | undefined;
  /** What this side shows to servers that ask for it. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that certificates of servers must bear. @default the address of the instance */
  readonly servername?: string | undefined;
}

export interface HttpTransportOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
  readonly telemetry?: Telemetry;
  /**
   * Whether many calls share one connection, a channel, where the server offers that. Where it does not, and for large messages, each call has a
   * connection of its own while it lasts.
   * @default true
   */
  readonly channels?: boolean;
  /** Most connections to one instance, each with one call at a time; further calls wait for one. @default 256 */
  readonly connectionsPerInstance?: number;
  /** Most calls that wait for a connection to one instance; what is more fails at once, unsent. @default 1024 */
  readonly maxWaiting?: number;
  /** Milliseconds to connect in, TLS included. @default 2000 */
  readonly connectTimeoutMs?: number;
  /** Milliseconds after which an idle connection is closed; earlier when the server says that it will close it. @default 30000 */
  readonly idleMs?: number;
  /** Largest answer in bytes, as it is sent and unpacked. @default 16777216 */
  readonly maxAnswerBytes?: number;
  /** Requests from so many bytes on are compressed, and answers may be. @default nothing is: between machines next to each other it costs more than it brings */
  readonly compressFromBytes?: number;
  /** For instances whose protocol is `https`. @default certificates that the system trusts */
  readonly tls?: ClientTls;
  /** Added to a call: what proves who calls, for example. Lower-case names. */
  readonly headers?: (request: WireRequest) => Readonly<Record<string, string>>;
}

export interface Limits {
  readonly connections: number;
  readonly waiting: number;
  readonly answerBytes: number;
  /** `Infinity`: nothing is compressed. */
  readonly compressFromBytes: number;
}

export const limitsOf = (options: HttpTransportOptions): Limits => ({
  connections: Math.max(1, options.connectionsPerInstance ?? 256),
  waiting: options.maxWaiting ?? 1024,
  answerBytes: options.maxAnswerBytes ?? 16_777_216,
  compressFromBytes: options.compressFromBytes ?? Number.POSITIVE_INFINITY,
});
