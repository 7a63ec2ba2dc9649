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
