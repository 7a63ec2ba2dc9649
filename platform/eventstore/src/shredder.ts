import type { Runtime } from '@souk/kernel';
import type { Sql } from '@souk/store';
import { eventStoreErrors } from './errors.ts';
import type { NewEvent, StoredEvent } from './event.ts';
import { fieldAt, withField } from './field-path.ts';
import { seal, unseal } from './personal-cipher.ts';
import { createSubjectKeys, type KeyEncryptionKeys, type KeysBySubject } from './subject-keys.ts';

/** Where the personal data of one type of event is. Paths are of the form `customer.name`. */
export interface PersonalData {
  /** Holds the id of the person, which is not personal itself: it stays readable. */
  readonly subject: string;
  /** What is encrypted, with all that is in it. */
  readonly fields: readonly string[];
}

export interface ShredderOptions {
  readonly runtime: Runtime;
  readonly keyEncryptionKeys: KeyEncryptionKeys;
  /** By type of event. */
  readonly personal: Readonly<Record<string, PersonalData>>;
  /** What is read in place of what was forgotten. @default '[forgotten]' */
  readonly marker?: unknown;
}

/** An event on its way in; its id is part of what is encrypted. */
export type IdentifiedEvent = NewEvent & { readonly id: string };

/** Encrypts personal data under a key per person. Whoever is forgotten loses the key: what was written can never be read again. */
export interface Shredder {
  /** True when some of these hold personal data. */
  concerns(events: readonly NewEvent[]): boolean;
  /**
   * @returns the events with their personal fields encrypted, and which fields these are
   * @throws EVENTSTORE_SUBJECT_FORGOTTEN
   */
  encrypt(
    sql: Sql,
    events: readonly IdentifiedEvent[],
  ): Promise<{ readonly events: readonly IdentifiedEvent[]; readonly fields: readonly string[] }>;
  /** @throws EVENTSTORE_DATA_UNREADABLE for data that was changed, or of a key-encryption key that is not there */
  decrypt<TEvent extends StoredEvent>(sql: Sql, events: readonly TEvent[]): Promise<readonly TEvent[]>;
  /**
   * Deletes a person's key, in the caller's transaction. Events can still be read; the marker is in place of what was personal.
   * Projections must hear of it by an event of their own: what they have written is theirs to delete.
   */
  forget(sql: Sql, subject: string): Promise<void>;
  /** Wraps up to `limit` keys anew after the current key-encryption key was changed; @returns how many: repeat until 0 */
  rewrap(sql: Sql, limit?: number): Promise<number>;
}

/** What stands in the place of a field: whose it is, and the ciphertext in base64. */
interface Sealed {
  readonly $personal: readonly [subject: string, sealed: string];
}

export const FORGOTTEN = '[forgotten]';
const REWRAP_AT_ONCE = 500;

/** @throws EVENTSTORE_SHREDDER_INVALID */
export function createShredder(options: ShredderOptions): Shredder {
  const { runtime, personal, marker = FORGOTTEN } = options;
  const keys = createSubjectKeys(runtime, options.keyEncryptionKeys);
  for (const [type, { fields, subject }] of Object.entries(personal)) {
    const covers = fields.find((field) => subject === field || subject.startsWith(`${field}.`));
    if (covers !== undefined)
      throw eventStoreErrors.SHREDDER_INVALID({ why: `${type} would encrypt its subject with ${covers}` });
  }

  const subjectOf = ({ type, data }: NewEvent): string => {
    const subject = fieldAt(data, (personal[type] as PersonalData).subject);
    if (typeof subject === 'string' && subject !== '') return subject;
    throw eventStoreErrors.SHREDDER_INVALID({ why: `${type} has no text at ${personal[type]?.subject}` });
  };

  const encryptOne = (event: IdentifiedEvent, byKey: KeysBySubject): IdentifiedEvent => {
    const declared = personal[event.type];
    if (declared === undefined) return event;
    const subject = subjectOf(event);
    const key = byKey.get(subject);
    if (key === undefined || key === 'forgotten') throw eventStoreErrors.SUBJECT_FORGOTTEN();
    let data = event.data;
    for (const path of declared.fields) {
      const plain: string | undefined = JSON.stringify(fieldAt(data, path));
      if (plain === undefined) continue;
      const sealed = seal(runtime.random, key, Buffer.from(plain), boundTo(event.id, path));
      data = withField(data, path, { $personal: [subject, sealed.toString('base64')] } satisfies Sealed);
    }
    return { ...event, data };
  };

  const decryptOne = <TEvent extends StoredEvent>(event: TEvent, byKey: KeysBySubject): TEvent => {
    let data = event.data;
    for (const path of event.metadata.personal ?? []) {
      const value = fieldAt(data, path);
      if (!isSealed(value)) continue;
      const [subject, sealed] = value.$personal;
      const key = byKey.get(subject) ?? 'forgotten';
      if (key === 'forgotten') data = withField(data, path, marker);
      else {
        const plain = unseal(key, Buffer.from(sealed, 'base64'), boundTo(event.id, path));
        if (plain === undefined) {
          throw eventStoreErrors.DATA_UNREADABLE({ type: event.type, keyId: options.keyEncryptionKeys.current });
        }
        data = withField(data, path, JSON.parse(plain.toString('utf8')));
      }
    }
    return { ...event, data };
  };

  return {
    concerns: (events) => events.some(({ type }) => personal[type] !== undefined),
    encrypt: async (sql, events) => {
      const concerned = events.filter(({ type }) => personal[type] !== undefined);
      const byKey = await keys.demand(sql, [...new Set(concerned.map(subjectOf))].sort());
      return {
        events: events.map((event) => encryptOne(event, byKey)),
        fields: [...new Set(concerned.flatMap(({ type }) => personal[type]?.fields ?? []))],
      };
    },
    decrypt: async (sql, events) => {
      const subjects = new Set<string>();
      for (const { data, metadata } of events) {
        for (const path of metadata.personal ?? []) {
          const value = fieldAt(data, path);
          if (isSealed(value)) subjects.add(value.$personal[0]);
        }
      }
      if (subjects.size === 0) return events;
      const byKey = await keys.find(sql, [...subjects]);
      return events.map((event) => (event.metadata.personal === undefined ? event : decryptOne(event, byKey)));
    },
    forget: (sql, subject) => keys.forget(sql, subject),
    rewrap: (sql, limit = REWRAP_AT_ONCE) => keys.rewrap(sql, limit),
  };
}

/** A ciphertext that is copied to another event or field cannot be read there. */
const boundTo = (eventId: string, path: string): string => `event ${eventId} ${path}`;

const isSealed = (value: unknown): value is Sealed =>
  typeof value === 'object' && value !== null && '$personal' in value && Array.isArray(value.$personal);
