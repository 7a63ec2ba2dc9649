import { defineErrors, type SoukError } from '@souk/kernel';

/** What a database may say no with. */
export const storeErrors = defineErrors('STORE', {
  UNIQUE_VIOLATION: { code: 'already_exists', text: 'a value that must be unique is taken ({constraint})' },
  CHECK_VIOLATION: { code: 'failed_precondition', text: 'a rule of the data is broken ({constraint})' },
  FOREIGN_KEY_VIOLATION: { code: 'failed_precondition', text: 'a row that is referred to is missing ({constraint})' },
  CONFLICT: { code: 'aborted', text: 'another transaction was in the way ({sqlState})', retry: 'later' },
  STATEMENT_TIMEOUT: {
    code: 'deadline_exceeded',
    text: 'the database took too long and undid the statement',
    retry: 'later',
  },
  CANCELED: { code: 'canceled', text: 'the statement was cancelled and undone' },
  POOL_EXHAUSTED: {
    code: 'resource_exhausted',
    text: 'no connection to {database} became free in time',
    retry: 'later',
    http: 503,
  },
  UNAVAILABLE: { code: 'unavailable', text: 'the database cannot be reached', retry: 'later' },
  OUTCOME_UNKNOWN: {
    code: 'unavailable',
    text: 'the connection to the database was lost before it answered',
    retry: 'unknownOutcome',
  },
  STORAGE_FULL: { code: 'resource_exhausted', text: 'the database has no space left', retry: 'later', http: 503 },
  QUERY_FAILED: { code: 'internal', text: 'a statement failed ({sqlState})' },
  ACCESS_DENIED: { code: 'internal', text: 'the database refused access ({sqlState})' },
  TRANSACTION_ABORTED: {
    code: 'internal',
    text: 'the transaction was rolled back at COMMIT: a statement in it failed and the error was ignored',
  },
  CLOSED: { code: 'unavailable', text: 'the database of {service} is closed', retry: 'later' },
  MIGRATIONS_INVALID: { code: 'internal', text: 'the migrations cannot be ordered: {why}' },
  MIGRATION_CHANGED: {
    code: 'failed_precondition',
    text: 'migration {id} was applied to {database} with another text: restore it, and put the change into a new migration',
  },
  MIGRATION_NEWER: {
    code: 'failed_precondition',
    text: 'migration {id} was applied to {database} by a newer version: start that version, or restore a backup',
  },
  MIGRATION_FAILED: { code: 'internal', text: 'migration {id} failed on {database} and was undone: {why}' },
});

/** What callers of an operation with an idempotency key may have done wrong. */
export const idempotencyErrors = defineErrors('IDEMPOTENCY', {
  KEY_REUSED: {
    code: 'invalid_argument',
    text: 'this idempotency key was used for another request: take a new key',
    http: 422,
  },
  KEY_IN_FLIGHT: {
    code: 'aborted',
    text: 'a request with this idempotency key is still being worked on',
    retry: 'later',
    http: 409,
  },
});

/** What an SQL error says about itself, whatever the driver. */
export interface SqlFailure {
  /** Five characters, SQLSTATE of the standard and of PostgreSQL. */
  readonly sqlState: string;
  readonly constraint?: string | undefined;
  /** True when the database gave up because of its own time limit, not because somebody asked it to. */
  readonly timedOut?: boolean | undefined;
  /** Must be free of values: it goes to the log. */
  readonly cause?: unknown;
}

/** Translates an SQLSTATE. Total: what is not known becomes `STORE_QUERY_FAILED`. */
export function fromSqlState(failure: SqlFailure): SoukError {
  const { sqlState, cause } = failure;
  const constraint = failure.constraint ?? 'unnamed';
  const broken = { cause, details: { constraint } };
  switch (sqlState) {
    case '23505':
      return storeErrors.UNIQUE_VIOLATION({ constraint }, broken);
    case '23514':
    case '23P01':
      return storeErrors.CHECK_VIOLATION({ constraint }, broken);
    case '23503':
      return storeErrors.FOREIGN_KEY_VIOLATION({ constraint }, broken);
    case '40001':
    case '40P01':
    case '55P03':
      return storeErrors.CONFLICT({ sqlState }, { cause });
    case '57014':
      return failure.timedOut ? storeErrors.STATEMENT_TIMEOUT({}, { cause }) : storeErrors.CANCELED({}, { cause });
    case '42501':
      return storeErrors.ACCESS_DENIED({ sqlState }, { cause });
    case '53100':
      return storeErrors.STORAGE_FULL({}, { cause });
    case '25P03':
      return storeErrors.UNAVAILABLE({}, { cause });
  }
  switch (sqlState.slice(0, 2)) {
    case '08':
    case '53':
    case '57':
    case '58':
      return storeErrors.UNAVAILABLE({}, { cause });
    case '28':
      return storeErrors.ACCESS_DENIED({ sqlState }, { cause });
  }
  return storeErrors.QUERY_FAILED({ sqlState }, { cause });
}
