import type { Runtime } from '@souk/kernel';
import type { WireCall } from '@souk/rpc';

/** PEM texts. */
export interface GrpcTls {
  /** Who may have signed the certificate of the server. @default the authorities that the system trusts */
  readonly ca?: string | undefined;
  /** What this side shows to a server that asks for it. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must bear. @default the host of `baseUrl` */
  readonly servername?: string | undefined;
}

export interface GrpcTransportOptions {
  /** `http://127.0.0.1:8080` for HTTP/2 in cleartext, or `https:`. */
  readonly baseUrl: string;
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
  /** For `https:`. */
  readonly tls?: GrpcTls;
  /** Added to a call: what proves who calls, for example. Lower-case names. */
  readonly headers?: (call: WireCall) => Readonly<Record<string, string>>;
  /** Largest message of an answer, in bytes, decompressed. @default 16777216 */
  readonly maxMessageBytes?: number;
  /** Compresses large messages with gzip, and takes them compressed. @default false: between machines next to each other it costs more than it brings */
  readonly compress?: boolean;
  /** How often a connection with calls under way is asked whether it is alive, in milliseconds. @default 30000 */
  readonly pingEveryMs?: number;
}
