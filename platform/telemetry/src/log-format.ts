import { inspect, styleText } from 'node:util';
import type { LoggedError } from './log-value.ts';

export const LOG_LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;

export type LogLevel = keyof typeof LOG_LEVELS;

/** A line before it is written. */
export interface LogLine {
  readonly level: LogLevel;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly message: string;
  readonly service: string;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  /** Plain and redacted. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const COLOURS = { debug: 'gray', info: 'green', warn: 'yellow', error: 'red' } as const;

/** A line for people: `12:00:00.123 INFO  orders  placed  id=ord_1`, the stack of an error indented below. */
export function formatForPeople(line: LogLine, colour: boolean): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const { err, ...fields } = line.fields;
  const pairs = Object.entries(fields).map(([key, value]) => ` ${paint('dim', `${key}=`)}${show(value)}`);
  const head = [
    paint('dim', clockTime(line.time)),
    paint(COLOURS[line.level], line.level.toUpperCase().padEnd(5)),
    paint('cyan', line.service.padEnd(13)),
    line.message,
  ];
  const error = err === undefined ? '' : showError(err as LoggedError, paint('red', 'error'));
  return `${head.join(' ')}${pairs.join('')}${error}\n`;
}

function clockTime(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

/** Bare when it is one word, quoted otherwise: a line can be split by eye. */
function show(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return typeof value === 'object' && value !== null
    ? inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 6, compact: true })
    : String(value);
}

function showError(error: LoggedError, label: string): string {
  if (typeof error !== 'object' || error === null) return ` err=${show(error)}`;
  const reason = error.reason ?? error.type;
  const stack = error.stack?.split('\n').filter((line) => line.trimStart().startsWith('at ')) ?? [];
  const lines = stack.map((line) => `\n      ${line.trim()}`).join('');
  const cause = error.cause === undefined ? '' : showError(error.cause, 'caused by');
  return `\n    ${label} ${reason}: ${error.message}${lines}${cause}`;
}
