import type { Logger, Runtime } from '@souk/kernel';
import type { Metrics } from '@souk/telemetry';
import { natsErrors } from './errors.ts';

/** Times in milliseconds. */
export interface NatsBusOptions {
  /** One or more `nats://host:port` or `tls://host:port`, of one cluster; `user:password@` or `token@` before the host. */
  readonly urls: readonly string[];
  readonly runtime: Runtime;
  readonly log?: Logger;
  readonly metrics?: Metrics;
  /** Name of the stream and begin of all subjects; systems with different ones do not see each other. Letters, digits, `_`, `-`. @default 'souk' */
  readonly prefix?: string;
  /**
   * Ordered events that a group handles at once, over all its processes: keys are spread over so many consumers, each with one event
   * under way. Fixed for the life of a stream. @default 16
   */
  readonly partitions?: number;
  /** Copies of the stream in a cluster. @default 1 */
  readonly replicas?: number;
  /** Bytes of events that some group has not handled; beyond it publishing is refused. @default 1 GiB */
  readonly maxBytes?: number;
  /** Events that a group has not handled in this time are dropped. @default 14 days */
  readonly maxAgeMs?: number;
  /** An event whose consumer says nothing for so long is given to another. Long handlers are spoken for. @default 10000 */
  readonly ackWaitMs?: number;
  /** Longest wait for the server's confirmation of a published event. @default 5000 */
  readonly publishMs?: number;
  /** How long publishing waits after a stream was lost, so that all groups are back first: they notice it after 2 s at most, and may need some seconds to connect. @default 15000 */
  readonly recoverMs?: number;
}

export type NatsBusSettings = Required<Omit<NatsBusOptions, 'log' | 'metrics'>>;

const DAY_MS = 24 * 60 * 60 * 1000;

/** @throws NATS_INVALID_OPTION */
export function toSettings(options: NatsBusOptions): NatsBusSettings {
  const settings = {
    urls: options.urls,
    runtime: options.runtime,
    prefix: options.prefix ?? 'souk',
    partitions: options.partitions ?? 16,
    replicas: options.replicas ?? 1,
    maxBytes: options.maxBytes ?? 2 ** 30,
    maxAgeMs: options.maxAgeMs ?? 14 * DAY_MS,
    ackWaitMs: options.ackWaitMs ?? 10_000,
    publishMs: options.publishMs ?? 5000,
    recoverMs: options.recoverMs ?? 15_000,
  };
  if (settings.urls.length === 0) {
    throw natsErrors.INVALID_OPTION({ option: 'urls', wanted: 'at least one', found: 'none' });
  }
  if (!/^[\w-]+$/.test(settings.prefix)) {
    throw natsErrors.INVALID_OPTION({ option: 'prefix', wanted: 'letters, digits, _ or -', found: settings.prefix });
  }
  if (!Number.isInteger(settings.partitions) || settings.partitions < 1 || settings.partitions > 256) {
    const found = settings.partitions;
    throw natsErrors.INVALID_OPTION({ option: 'partitions', wanted: 'a whole number from 1 to 256', found });
  }
  return Object.freeze(settings);
}
