import { defineErrors } from '@souk/kernel';

/** Why the server that comes with souk does not start. Each says what to do. */
export const embeddedErrors = defineErrors('EMBEDDED_POSTGRES', {
  UNSUPPORTED_PLATFORM: {
    code: 'failed_precondition',
    text: 'there is no bundled PostgreSQL for {platform}: install one and set DATABASE_URL',
  },
  BUNDLE_INVALID: {
    code: 'internal',
    text: 'the bundled PostgreSQL is damaged ({what}): remove node_modules and install again',
  },
  IN_USE: {
    code: 'failed_precondition',
    text: '{folder} is in use by process {pid}: stop it, or choose another folder with SOUK_DATA',
  },
  DATA_NEWER: {
    code: 'failed_precondition',
    text: '{folder} was made by a newer souk ({what} {found}, this one knows {known}): start that version, or choose another folder with SOUK_DATA',
  },
  DATA_OLDER: {
    code: 'failed_precondition',
    text: '{folder} was made by PostgreSQL {found}, this souk brings {known}: move the data with pg_upgrade, or choose another folder with SOUK_DATA',
  },
  FOLDER_UNUSABLE: {
    code: 'failed_precondition',
    text: '{folder} cannot be used ({why}): choose another folder with SOUK_DATA',
  },
  NO_ACCOUNT: {
    code: 'failed_precondition',
    text: 'PostgreSQL does not run as root, and no account "nobody" or "postgres" was found: create one, or set DATABASE_URL',
  },
  INIT_FAILED: { code: 'internal', text: 'the data folder could not be made: {why}' },
  START_FAILED: { code: 'unavailable', text: 'PostgreSQL did not start: {why} (see {log})' },
  LEFT_BEHIND: {
    code: 'failed_precondition',
    text: 'a PostgreSQL left behind in {folder} does not stop: end process {pid}',
  },
});
