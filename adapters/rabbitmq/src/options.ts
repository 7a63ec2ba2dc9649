import type { Logger, Runtime } from '@souk/kernel';
import type { Metrics } from '@souk/telemetry';
import { rabbitmqErrors } from './errors.ts';

/** Times in milliseconds. */
export interface RabbitmqBusOptions {
  /** `amqp://user:password@host:port/vhost`, or `amqps://`. */
  readonly url: string;
  readonly runtime: Runtime;
  readonly log?: Logger;
  readonly metrics?: Metrics;
  /** Begin of all names; systems with different ones do not see each other. Letters, digits, `_`, `-`. @default 'souk' */
  readonly prefix?: string;
  /** Queues over which a group spreads the keys of its ordered events; each is read by one process at a time. Fixed for the life of a prefix. @default 8 */
  readonly partitions?: number;
  /** Events that one queue holds; beyond it publishing is refused. @default 1000000 */
  readonly maxLength?: number;
  /** How often a queue gives out an event again, after consumers were lost with it, before it goes to the dead queue. @default 1000 */
  readonly deliveryLimit?: number;
  /** Longest wait for the broker's confirmation of a published event. @default 10000 */
  readonly publishMs?: number;
  /** How long events of a type that had queues, and has none now, are refused before they count as heard by nobody. @default 60000 */
  readonly recoverMs?: number;
}

export type RabbitmqBusSettings = Required<Omit<RabbitmqBusOptions, 'log' | 'metrics'>>;

/** @throws RABBITMQ_INVALID_OPTION */
export function toSettings(options: RabbitmqBusOptions): RabbitmqBusSettings {
  const settings = {
    url: options.url,
    runtime: options.runtime,
    prefix: options.prefix ?? 'souk',
    partitions: options.partitions ?? 8,
    maxLength: options.maxLength ?? 1_000_000,
    deliveryLimit: options.deliveryLimit ?? 1000,
    publishMs: options.publishMs ?? 10_000,
    recoverMs: options.recoverMs ?? 60_000,
  };
  if (!/^amqps?:\/\//.test(settings.url)) {
    // The text may hold a password.
    throw rabbitmqErrors.INVALID_OPTION({ option: 'url', wanted: 'amqp:// or amqps://', found: 'another scheme' });
  }
  if (!/^[\w-]+$/.test(settings.prefix)) {
    const found = settings.prefix;
    throw rabbitmqErrors.INVALID_OPTION({ option: 'prefix', wanted: 'letters, digits, _ or -', found });
  }
  if (!Number.isInteger(settings.partitions) || settings.partitions < 1 || settings.partitions > 256) {
    const found = settings.partitions;
    throw rabbitmqErrors.INVALID_OPTION({ option: 'partitions', wanted: 'a whole number from 1 to 256', found });
  }
  return Object.freeze(settings);
}
