import { defineErrors, type SoukError } from '@souk/kernel';
import { fromSqlState, storeErrors } from '@souk/store';

/** What can be wrong with the server itself. Texts never hold a password. */
export const postgresErrors = defineErrors('POSTGRES', {
  URL_INVALID: {
    code: 'invalid_argument',
    text: '{setting} is not of the form postgres://user:password@host:port/database',
  },
  UNREACHABLE: { code: 'unavailable', text: 'no PostgreSQL answers at {where}: {why}', retry: 'later' },
  ACCESS_DENIED: {
    code: 'failed_precondition',
    text: 'PostgreSQL at {where} refused the sign-in: check user and password ({sqlState})',
  },
  TOO_OLD: {
    code: 'failed_precondition',
    text: 'PostgreSQL at {where} is version {version}: {wanted} or newer is needed',
  },
  CANNOT_CREATE: {
    code: 'failed_precondition',
    text: 'the role at {where} may not create database {database}: create it, or give the role CREATEDB ({sqlState})',
  },
  NAME_INVALID: {
    code: 'invalid_argument',
    text: '{name} cannot be the name of a database: want a-z, 0-9, - and _, at most {most} characters',
  },
  NOT_STARTED: { code: 'failed_precondition', text: 'the database server was not started' },
});

/** Fields of an error that the server sent. */
export interface ServerError {
  readonly code: string;
  readonly message: string;
  readonly severity?: string;
  readonly constraint?: string;
  readonly routine?: string;
  readonly table?: string;
  readonly column?: string;
}

export const isServerError = (thrown: unknown): thrown is ServerError & Error =>
  thrown instanceof Error && 'code' in thrown && 'severity' in thrown && typeof thrown.code === 'string';

/** The server has ended the session, or will: the connection is of no more use. */
export const endsSession = (thrown: unknown): boolean =>
  isServerError(thrown) && (thrown.severity === 'FATAL' || thrown.severity === 'PANIC');

/** A plan that was prepared before a table changed. Nothing ran; prepared anew, it will. */
export const isStalePlan = (thrown: unknown): boolean =>
  isServerError(thrown) && thrown.code === '0A000' && thrown.routine === 'RevalidateCachedQuery';

/**
 * Translates what the driver threw.
 *
 * @param atStake True when the statement may have taken effect although no answer came: a COMMIT, or a statement of its own.
 */
export function fromDriver(thrown: unknown, atStake: boolean): SoukError {
  if (isServerError(thrown)) {
    if (isStalePlan(thrown)) return storeErrors.CONFLICT({ sqlState: thrown.code }, { cause: withoutValues(thrown) });
    const error = fromSqlState({
      sqlState: thrown.code,
      constraint: thrown.constraint,
      timedOut: /timeout/.test(thrown.message),
      cause: withoutValues(thrown),
    });
    // 57P01 and its like end the connection, and may come in the middle of a COMMIT.
    return endsSession(thrown) && atStake ? storeErrors.OUTCOME_UNKNOWN({}, { cause: error.cause }) : error;
  }
  if (thrown instanceof TypeError || thrown instanceof RangeError) {
    return storeErrors.QUERY_FAILED({ sqlState: 'driver' }, { cause: thrown });
  }
  return atStake ? storeErrors.OUTCOME_UNKNOWN({}, { cause: thrown }) : storeErrors.UNAVAILABLE({}, { cause: thrown });
}

/** Detail, hint and context quote rows, and messages of class 22 quote input: none of them may reach a log. */
function withoutValues(error: ServerError & Error): Error {
  const text = error.code.startsWith('22') ? `data exception in ${error.routine ?? 'unknown'}` : error.message;
  const clean = new Error(`${error.code} ${text}`);
  clean.name = 'PostgresError';
  const { code, constraint, table, column, routine } = error;
  return Object.assign(clean, JSON.parse(JSON.stringify({ code, constraint, table, column, routine })));
}
