import { defineErrors } from '@souk/kernel';

export const eventStoreErrors = defineErrors('EVENTSTORE', {
  WRONG_VERSION: {
    code: 'aborted',
    text: '{stream} is not at the expected version: expected {expected}, found {actual}',
    retry: 'later',
  },
  EVENT_EXISTS: {
    code: 'already_exists',
    text: 'some event ids of this append to {stream} were appended before, but not as this very append: take new ids',
  },
  INVALID_APPEND: { code: 'internal', text: 'cannot append to {stream}: {why}' },
  STREAM_NOT_LOCKED: {
    code: 'internal',
    text: 'the transaction wrote before it appended to {stream}: call lockStreams, or read it for update, at its beginning',
  },
  POSITION_INVALID: { code: 'invalid_argument', text: 'the position is not one that this store gave out' },
  CURSOR_AHEAD: {
    code: 'failed_precondition',
    text: 'a reader stands at {cursor}, after the last event of the store at {head}: events it has seen are gone, as after the restore of an old backup. Rebuild what it fills, or set it back on purpose',
  },
  META_MISSING: {
    code: 'failed_precondition',
    text: 'the row of souk.es_meta is gone: insert one (INSERT INTO souk.es_meta DEFAULT VALUES), with an epoch above all of souk.es_event',
  },
  SCHEMA_TOO_NEW: {
    code: 'failed_precondition',
    text: '{type} was written in schema version {found}, this process knows {known}: start the newer version, nothing is skipped',
  },
  UPCASTERS_INVALID: { code: 'internal', text: 'the upcasters of {type} cannot be used: {why}' },
  SNAPSHOT_INVALID: { code: 'internal', text: 'the state of {fold} is nothing that JSON can hold' },
  SHREDDER_INVALID: { code: 'internal', text: 'personal data cannot be encrypted: {why}' },
  SHREDDER_MISSING: {
    code: 'failed_precondition',
    text: '{type} holds encrypted personal data, and this store was made without a shredder',
  },
  SUBJECT_FORGOTTEN: {
    code: 'failed_precondition',
    text: 'personal data of a subject that was forgotten cannot be appended',
  },
  DATA_UNREADABLE: {
    code: 'internal',
    text: 'personal data in {type} cannot be decrypted: the key-encryption key {keyId} is not the one it was made with, or the data was changed',
  },
});

export const projectionErrors = defineErrors('PROJECTION', {
  INVALID: { code: 'internal', text: 'the projection or subscription {name} cannot be used: {why}' },
  UNKNOWN: { code: 'not_found', text: 'there is no projection {name} here; there are: {known}' },
  BEHIND: {
    code: 'unavailable',
    text: '{name} does not show yet what was asked for, after {ms} ms: ask again, or without the position',
    retry: 'later',
  },
  FENCED: {
    code: 'aborted',
    text: 'partition {part} of {name} has gone on elsewhere: nothing was done here',
    retry: 'later',
  },
  OUT_OF_ORDER: {
    code: 'internal',
    text: '{name} got version {version} of {stream} after version {last}: it stops, for nothing may be left out. See whether rows of souk.es_event were changed by hand; when they are right again, rebuild it',
  },
  STALLED: {
    code: 'unavailable',
    text: 'partition {part} of {name} is behind and has not moved for {seconds} s',
    retry: 'later',
  },
  TOO_MANY_PARKED: {
    code: 'unavailable',
    text: '{name} has parked {count} streams and waits: it is hardly the events that are wrong. The last one failed with {why}',
    retry: 'later',
  },
  NEWER: {
    code: 'failed_precondition',
    text: 'the tables of {name} were made by version {found}, this process knows {known}: start the newer version',
  },
  NO_TABLES: { code: 'failed_precondition', text: '{name} is a subscription: it has no tables to rebuild' },
  REBUILD_FAILED: {
    code: 'failed_precondition',
    text: 'the rebuild of {name} failed, the tables in use are as they were: {why}',
  },
  SWITCH_TOO_FAR: {
    code: 'unavailable',
    text: 'the rebuilt tables of {name} are too far behind to be switched to',
    retry: 'later',
  },
});
