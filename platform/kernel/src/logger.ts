import type { TraceContext } from './trace-context.ts';

/** Facts of a log line. Values must be serialisable; never personal data, secrets or card data. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go. An error belongs in `fields.err`, whole: the log is the one place that sees causes. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line. */
  with(fields: LogFields): Logger;
  /**
   * A logger whose lines carry this trace, in place of the one it may have had. Contexts call it for `ctx.log`, so nobody else
   * needs to. Left out by loggers that do not care.
   */
  forTrace?(trace: TraceContext): Logger;
}

const ignore = (): void => {};

/** Says nothing. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  with: () => silentLogger,
};
