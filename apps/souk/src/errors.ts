import { defineErrors } from '@souk/kernel';

export const appErrors = defineErrors('APP', {
  USAGE: { code: 'invalid_argument', text: '{problem}; "souk {command} --help" says what there is' },
  NOT_RUNNING: {
    code: 'unavailable',
    text: 'no shop answers at {url}: start it with "npm start", or name another with --url',
  },
  REFUSED: { code: 'failed_precondition', text: 'the shop refused {what}: {why}' },
  NO_OPERATOR: {
    code: 'permission_denied',
    text: 'there is no operator token in {folder}: run this where the shop keeps its data, or name that folder with SOUK_DATA',
  },
});
