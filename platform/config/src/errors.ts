import { defineErrors } from '@souk/kernel';

export const configErrors = defineErrors('CONFIG', {
  VALUE_REFUSED: { code: 'invalid_argument', text: 'want {allowed}, got {got}' },
  INVALID: { code: 'invalid_argument', text: '{problems}' },
  FILE_UNREADABLE: { code: 'not_found', text: 'cannot read the settings file {path}: {why}' },
  DECLARATION: { code: 'internal', text: '{setting} is declared wrongly: {why}' },
});
