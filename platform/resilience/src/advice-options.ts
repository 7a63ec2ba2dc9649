import { atLeast, ratio, wholeAtLeast } from './check-option.ts';

export interface BreakerSharingOptions {
  /**
   * Distance of what an instance says of each of its breakers, in milliseconds; changes are said at once. Lower: a lost message is made
   * good sooner. Higher: fewer messages (breakers * instances * 1000 / everyMs per second). @default 2000
   */
  readonly everyMs?: number;
  /** What an instance said counts for so long after it was heard, in milliseconds. @default 6000, so that two messages in a row may be lost */
  readonly ttlMs?: number;
  /** Share of the live instances that must report open. Two are always needed: one may have lost its own network. @default 0.5 */
  readonly quorum?: number;
  /** Share by which instances begin, end and repeat at different times. @default 0.2, so that they do not act all at once */
  readonly jitter?: number;
  /** Reports held, of all breakers and instances. @default 10000, some 2 MB at most */
  readonly maxReports?: number;
  /** Messages that wait to be sent. The oldest goes first when there are more. @default 256 */
  readonly maxQueued?: number;
  /** Longest wait for the channel, in milliseconds; then the message counts as lost. @default 1000 */
  readonly publishTimeoutMs?: number;
  /** Longest wait for the lease store, in milliseconds; then the instance probes by itself. @default 300 */
  readonly leaseTimeoutMs?: number;
}

export interface BreakerSharingSettings extends Required<BreakerSharingOptions> {}

/** @throws RESILIENCE_BAD_OPTION */
export const resolveBreakerSharing = (options: BreakerSharingOptions = {}): BreakerSharingSettings =>
  Object.freeze({
    everyMs: atLeast('breakerSharing.everyMs', options.everyMs ?? 2_000, 100),
    ttlMs: atLeast('breakerSharing.ttlMs', options.ttlMs ?? 6_000, 100),
    quorum: ratio('breakerSharing.quorum', options.quorum ?? 0.5),
    jitter: ratio('breakerSharing.jitter', options.jitter ?? 0.2),
    maxReports: wholeAtLeast('breakerSharing.maxReports', options.maxReports ?? 10_000, 1),
    maxQueued: wholeAtLeast('breakerSharing.maxQueued', options.maxQueued ?? 256, 1),
    publishTimeoutMs: atLeast('breakerSharing.publishTimeoutMs', options.publishTimeoutMs ?? 1_000, 1),
    leaseTimeoutMs: atLeast('breakerSharing.leaseTimeoutMs', options.leaseTimeoutMs ?? 300, 1),
  });

/** `value`, moved by chance by at most `share` of it, either way. */
export const jittered = (value: number, share: number, chance: number): number =>
  value * (1 + share * (2 * chance - 1));
