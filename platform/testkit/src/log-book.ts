import { inspect } from 'node:util';
import type { LogFields, Logger } from '@souk/kernel';

/** Keeps what was logged, for a test that looks for what must not be there. */
export interface LogBook {
  readonly log: Logger;
  /** Every line with all its fields and the causes of its errors, as deep as they go. */
  text(): string;
}

export function createLogBook(): LogBook {
  const lines: string[] = [];
  const logger = (bound: LogFields): Logger => {
    const write =
      (level: string) =>
      (message: string, fields: LogFields = {}): void =>
        void lines.push(inspect({ level, message, ...bound, ...fields }, { depth: null, showHidden: true }));
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (fields) => logger({ ...bound, ...fields }),
    };
  };
  return { log: logger({}), text: () => lines.join('\n') };
}
