import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { natsErrors } from './errors.ts';
import type { NatsBusSettings } from './options.ts';
import { toToken } from './wire.ts';

// What the server must hold for us. Everything is read back: servers leave out silently what they do not know.

/** The first server with the way to consume that is used here. */
const MIN_VERSION = [2, 9, 4] as const;

/** Between the same event published twice. The server's own default; consumers tell duplicates anyway. */
const DUPLICATE_WINDOW_MS = 120_000;

/** @throws NATS_SERVER_TOO_OLD */
export function checkVersion(nc: NatsConnection): void {
  const version = nc.info?.version ?? '0.0.0';
  const found = version.split('.').map((part) => Number.parseInt(part, 10));
  const at = MIN_VERSION.findIndex((min, index) => (found[index] ?? 0) !== min);
  if (at >= 0 && (found[at] ?? 0) < (MIN_VERSION[at] as number)) {
    throw natsErrors.SERVER_TOO_OLD({ server: nc.getServer(), version, min: MIN_VERSION.join('.') });
  }
}

const wantedStream = (settings: NatsBusSettings) =>
  ({
    name: settings.prefix,
    // Events of a key that moved to another consumer would overtake; so the number is written where it can be compared.
    description: `events in ${settings.partitions} partitions`,
    subjects: [`${settings.prefix}.*.>`],
    storage: StorageType.File,
    // An event is held until every group has handled it, and not at all when nobody hears it.
    retention: RetentionPolicy.Interest,
    // Full: publishers are told, and keep what they have.
    discard: DiscardPolicy.New,
    max_bytes: settings.maxBytes,
    max_age: nanos(settings.maxAgeMs),
    num_replicas: settings.replicas,
    duplicate_window: nanos(Math.min(DUPLICATE_WINDOW_MS, settings.maxAgeMs)),
  }) satisfies Partial<StreamConfig>;

/**
 * Makes the stream, or brings it to what is wanted.
 *
 * @returns when it was made: another time than before is another stream, whatever its name
 * @throws NATS_STREAM_MISMATCH
 */
export async function ensureStream(jsm: JetStreamManager, settings: NatsBusSettings): Promise<string> {
  const wanted = wantedStream(settings);
  const { created, config: made } = (await orNone(jsm.streams.info(wanted.name))) ?? (await jsm.streams.add(wanted));
  const changed = differing(made, wanted);
  if (changed.length === 0) return created;
  if (changed.includes('description')) throw mismatch(made, wanted, 'description');
  try {
    await jsm.streams.update(wanted.name, wanted);
  } catch (cause) {
    throw mismatch(made, wanted, changed[0] as keyof typeof wanted, cause);
  }
  const now = (await jsm.streams.info(wanted.name)).config;
  const left = differing(now, wanted)[0];
  if (left !== undefined) throw mismatch(now, wanted, left);
  return created;
}

/** One durable consumer of a group. */
export interface ConsumerWish {
  readonly name: string;
  readonly filter: string;
  readonly maxAckPending: number;
  /** What the whole group hears here, whichever of its processes: kept with the consumer. */
  readonly types: readonly string[];
}

export const groupConsumers = (
  { prefix, partitions }: NatsBusSettings,
  group: string,
  types: readonly { readonly type: string; readonly ordered: boolean }[],
): ConsumerWish[] => {
  const name = toToken(group).replaceAll('.', '%2e');
  const ordered = types.filter((one) => one.ordered).map(({ type }) => type);
  // One event under way at most: the server itself then keeps their order, whatever fails and however many processes take part. It
  // needs to see all types together, and servers before 2.10 filter by one subject, so the others are let pass here.
  const inOrder = Array.from({ length: ordered.length > 0 ? partitions : 0 }, (_, partition) => ({
    name: `${name}-${partition}`,
    filter: `${prefix}.${partition}.>`,
    maxAckPending: 1,
    types: ordered,
  }));
  const loose = types
    .filter((one) => !one.ordered)
    .map(({ type }) => ({
      name: `${name}-${toToken(type).replaceAll('.', '-')}`,
      filter: `${prefix}.*.${toToken(type)}`,
      maxAckPending: 1000,
      types: [type],
    }));
  return [...inOrder, ...loose];
};

/** @returns whether the group now hears more here than it did */
export async function ensureConsumer(
  jsm: JetStreamManager,
  { prefix, ackWaitMs }: NatsBusSettings,
  wish: ConsumerWish,
): Promise<boolean> {
  const found = await orNone(jsm.consumers.info(prefix, wish.name));
  const before = found === undefined ? [] : typesOf(found.config);
  const types = [...new Set([...before, ...wish.types])].sort();
  const wanted = {
    durable_name: wish.name,
    description: types.join(' '),
    filter_subject: wish.filter,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    max_ack_pending: wish.maxAckPending,
    // What fails for ever is the service's to bury; a broker that gives up would leave it in the stream where nobody looks.
    max_deliver: -1,
    deliver_policy: DeliverPolicy.New,
  } satisfies Partial<ConsumerConfig>;
  if (found === undefined) await jsm.consumers.add(prefix, wanted);
  else if (differing(found.config, wanted).length > 0) await jsm.consumers.update(prefix, wish.name, wanted);
  const now = (await jsm.consumers.info(prefix, wish.name)).config;
  const left = differing(now, wanted)[0];
  if (left !== undefined) {
    const why = `${left} is ${JSON.stringify(now[left])} and should be ${JSON.stringify(wanted[left])}`;
    throw natsErrors.CONSUMER_GONE({ consumer: wish.name, why });
  }
  return found !== undefined && types.length > before.length;
}

export const typesOf = ({ description }: Pick<ConsumerConfig, 'description'>): string[] =>
  (description ?? '').split(' ').filter((type) => type !== '');

async function orNone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.status === 404) return undefined;
    throw error;
  }
}

const differing = <TWanted extends object>(found: object, wanted: TWanted): (keyof TWanted)[] =>
  (Object.keys(wanted) as (keyof TWanted)[]).filter(
    (field) => JSON.stringify((found as TWanted)[field]) !== JSON.stringify(wanted[field]),
  );

const mismatch = <TWanted extends { readonly name: string }>(
  found: object,
  wanted: TWanted,
  field: keyof TWanted,
  cause?: unknown,
) =>
  natsErrors.STREAM_MISMATCH(
    {
      stream: wanted.name,
      field: String(field),
      found: JSON.stringify((found as TWanted)[field]),
      wanted: JSON.stringify(wanted[field]),
    },
    cause === undefined ? {} : { cause },
  );
