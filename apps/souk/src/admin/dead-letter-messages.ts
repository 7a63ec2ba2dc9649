import { fromJson, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate, ValueSchema } from '@bufbuild/protobuf/wkt';
import {
  type ConsumerSchema,
  type DeadLetterDetailsSchema,
  type DeadLetterGroupSchema,
  type DeadLetterSchema,
  DeadLetter_Status as Status,
} from '@souk/contracts/admin/v1/dead_letters';
import type {
  BlockedKey,
  ConsumerState,
  DeadLetter,
  DeadLetterDetails,
  DeadLetterGroup,
  DeadLetterStatus,
} from '@souk/messaging';

const STATUSES: Readonly<Record<DeadLetterStatus, Status>> = {
  dead: Status.DEAD,
  replayed: Status.REPLAYED,
  edited: Status.EDITED,
  discarded: Status.DISCARDED,
};

export const statusOf = (status: Status): DeadLetterStatus =>
  (Object.entries(STATUSES).find(([, one]) => one === status)?.[0] ?? 'dead') as DeadLetterStatus;

/** `orders-17`: unique over all services. */
export const letterId = (service: string, id: bigint): string => `${service}-${id}`;

/** The contract has seen to its form. */
export function parseLetterId(text: string): { readonly service: string; readonly id: bigint } {
  const at = text.lastIndexOf('-');
  return { service: text.slice(0, at), id: BigInt(text.slice(at + 1)) };
}

export const letterMessage = (letter: DeadLetter): MessageInitShape<typeof DeadLetterSchema> => ({
  id: letterId(letter.consumer, letter.id),
  service: letter.consumer,
  source: letter.source,
  messageId: letter.messageId,
  type: letter.type,
  key: letter.key,
  reason: letter.reason,
  error: letter.error,
  fingerprint: letter.fingerprint,
  attempts: letter.attempts,
  status: STATUSES[letter.status],
  deadAt: timestampFromDate(letter.deadAt),
  actor: letter.operator ?? '',
  note: letter.note ?? '',
  blocks: letter.blocks,
});

export const detailsMessage = (letter: DeadLetterDetails): MessageInitShape<typeof DeadLetterDetailsSchema> => ({
  letter: letterMessage(letter),
  attempts: letter.failures.map(({ at, reason, error }) => ({ at: timestampFromDate(new Date(at)), reason, error })),
  schema: letter.envelope.schema,
  ...(letter.event !== undefined && { event: fromJson(ValueSchema, letter.event) }),
  publishedAt: timestampFromDate(new Date(letter.envelope.time)),
  traceId: letter.envelope.traceparent.split('-')[1] ?? '',
  causationId: letter.envelope.causationId ?? '',
});

export const groupMessage = (
  service: string,
  { sampleId, firstAt, lastAt, ...group }: DeadLetterGroup,
): MessageInitShape<typeof DeadLetterGroupSchema> => ({
  ...group,
  service,
  firstAt: timestampFromDate(firstAt),
  lastAt: timestampFromDate(lastAt),
  sampleId: letterId(service, sampleId),
});

export const consumerMessage = (
  { consumer, paused, operator, note, since, retrying, dead }: ConsumerState,
  types: readonly string[],
  blocked: readonly BlockedKey[],
): MessageInitShape<typeof ConsumerSchema> => ({
  service: consumer,
  types: [...types],
  paused,
  changedBy: operator ?? '',
  changeReason: note ?? '',
  ...(since !== undefined && { changedAt: timestampFromDate(since) }),
  retrying,
  dead,
  blocked: blocked.map(({ deadLetterId, source, key, reason, waiting }) => ({
    deadLetterId: letterId(consumer, deadLetterId),
    source,
    key,
    reason,
    waiting,
  })),
});
