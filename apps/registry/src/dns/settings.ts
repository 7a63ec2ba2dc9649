/** How the DNS interface behaves. */
export interface DnsSettings {
  /** The zone it answers for, without the dot at its end. */
  readonly domain: string;
  /** Seconds that resolvers may keep an answer. 0: a change is seen by the next question. */
  readonly ttlSeconds: number;
  /** Leaves out instances that are `warning`, as well as those that are `critical`. */
  readonly onlyPassing: boolean;
  /** Most bytes of an answer over UDP, however much the client would take: larger ones may be lost in fragments. */
  readonly udpMaxBytes: number;
  /** A TCP connection without a whole question for so long is closed. */
  readonly tcpIdleMs: number;
  /** TCP connections at once; more are closed as they come. */
  readonly tcpMaxConnections: number;
}

export const dnsDefaults: DnsSettings = {
  domain: 'consul',
  ttlSeconds: 0,
  onlyPassing: false,
  udpMaxBytes: 4_096,
  tcpIdleMs: 10_000,
  tcpMaxConnections: 256,
};
