import { configErrors } from './errors.ts';
import { MASK, maskUrl } from './mask.ts';
import { type Duration, formatDuration, formatSize, parseDuration, parseSize, type Size } from './quantity.ts';
import type { Setting } from './setting.ts';

/** What every kind of setting is told. Neither `default` nor `optional`: the setting is required. */
export interface SettingOptions<TDefault> {
  /** What it does, its unit, and both sides of the trade-off. */
  readonly describe: string;
  readonly default?: TDefault;
  /** The value is `undefined` when nobody sets it. */
  readonly optional?: true;
  /** Further environment variables that set it, for names the world already uses: `PORT`, `DATABASE_URL`. */
  readonly env?: string | readonly string[];
}

type Value<TValue, TOptions> = TOptions extends { readonly optional: true } ? TValue | undefined : TValue;

interface Kind<TValue> {
  readonly kind: string;
  readonly allowed: string;
  /** undefined: refused. */
  readonly read: (raw: unknown) => TValue | undefined;
  readonly print?: (value: TValue) => string;
  /** A refused value as it may appear in an error. */
  readonly quote?: (raw: unknown) => string;
  readonly secret?: boolean;
}

function setting<TValue, TOptions extends SettingOptions<unknown>>(
  options: TOptions,
  kind: Kind<TValue>,
): Setting<Value<TValue, TOptions>> {
  const { allowed, read, quote = quoteRaw, print = String, secret = false } = kind;
  const parse = (raw: unknown): TValue => {
    const value = read(raw);
    if (value === undefined) throw configErrors.VALUE_REFUSED({ allowed, got: secret ? 'something else' : quote(raw) });
    return value;
  };
  const made: Setting<TValue> = {
    kind: kind.kind,
    description: options.describe,
    // A default is read like any other value, so a wrong one fails where it is declared.
    fallback: options.default === undefined ? undefined : parse(options.default),
    optional: options.optional ?? false,
    secret,
    allowed,
    env: options.env === undefined ? [] : [options.env].flat(),
    parse,
    print: (value) => (secret ? MASK : print(value)),
  };
  return Object.freeze(made) as Setting<Value<TValue, TOptions>>;
}

const quoteRaw = (raw: unknown): string => {
  const text = typeof raw === 'string' ? `'${raw}'` : (JSON.stringify(raw) ?? String(raw));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
};

const isText = (raw: unknown): raw is string => typeof raw === 'string' && raw.trim() !== '';

export interface TextOptions extends SettingOptions<string> {
  /** The whole value must match. */
  readonly pattern?: RegExp;
  /** The pattern in words, for errors. */
  readonly allowed?: string;
}

/** Any text that is not empty. */
export function text<const TOptions extends TextOptions>(options: TOptions): Setting<Value<string, TOptions>> {
  const { pattern } = options;
  return setting(options, {
    kind: 'text',
    allowed: options.allowed ?? (pattern ? `text like ${pattern.source}` : 'text'),
    read: (raw) => (isText(raw) && (pattern === undefined || pattern.exec(raw)?.[0] === raw) ? raw : undefined),
  });
}

export interface NumberOptions extends SettingOptions<number> {
  /** Smallest value allowed. */
  readonly min?: number;
  /** Largest value allowed. */
  readonly max?: number;
}

/** A whole number. */
export function integer<const TOptions extends NumberOptions>(options: TOptions): Setting<Value<number, TOptions>> {
  return setting(
    options,
    numeric('integer', 'a whole number', options, (raw) => /^-?\d+$/.test(raw), Number.isSafeInteger),
  );
}

/** A number that may have a fraction, with a point: `0.25`. */
export function decimal<const TOptions extends NumberOptions>(options: TOptions): Setting<Value<number, TOptions>> {
  return setting(
    options,
    numeric('decimal', 'a number', options, (raw) => /^-?\d+(\.\d+)?$/.test(raw), Number.isFinite),
  );
}

/** A TCP port; 0 lets the system choose one. */
export function port<const TOptions extends SettingOptions<number>>(
  options: TOptions,
): Setting<Value<number, TOptions>> {
  const range = { min: 0, max: 65_535 };
  return setting(
    options,
    numeric('port', 'a port', range, (raw) => /^\d+$/.test(raw), Number.isSafeInteger),
  );
}

function numeric(
  kind: string,
  what: string,
  range: { readonly min?: number; readonly max?: number },
  looksRight: (raw: string) => boolean,
  isRight: (value: number) => boolean,
): Kind<number> {
  const within = limits(range, String);
  return {
    kind,
    allowed: `${what}${within.words}`,
    read: (raw) => {
      const value = typeof raw === 'number' ? raw : isText(raw) && looksRight(raw.trim()) ? Number(raw) : Number.NaN;
      return isRight(value) && within.holds(value) ? value : undefined;
    },
  };
}

function limits(
  range: { readonly min?: number | undefined; readonly max?: number | undefined },
  print: (n: number) => string,
) {
  const { min, max } = range;
  let words = '';
  if (min !== undefined && max !== undefined) words = ` from ${print(min)} to ${print(max)}`;
  else if (min !== undefined) words = ` of at least ${print(min)}`;
  else if (max !== undefined) words = ` of at most ${print(max)}`;
  const holds = (value: number) =>
    value >= (min ?? Number.NEGATIVE_INFINITY) && value <= (max ?? Number.POSITIVE_INFINITY);
  return { words, holds };
}

export interface JsonOptions extends SettingOptions<object> {
  /** @throws when the value is not what is wanted; its message is told */
  readonly check?: (value: Readonly<Record<string, unknown>>) => void;
}

/** An object: as such in the settings file, as JSON in the environment and on the command line. */
export function json<const TOptions extends JsonOptions>(
  options: TOptions,
): Setting<Value<Readonly<Record<string, unknown>>, TOptions>> {
  return setting(options, {
    kind: 'json',
    allowed: 'a JSON object',
    read: (raw) => {
      const value = typeof raw === 'string' ? parseJson(raw) : raw;
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
      const object = value as Readonly<Record<string, unknown>>;
      options.check?.(object);
      return object;
    },
    print: (value) => JSON.stringify(value),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const YES = ['true', '1', 'yes', 'on'];
const NO = ['false', '0', 'no', 'off'];

/** On or off. As a flag on the command line it needs no value: `--http.compress`. */
export function flag<const TOptions extends SettingOptions<boolean>>(
  options: TOptions,
): Setting<Value<boolean, TOptions>> {
  return setting(options, {
    kind: 'flag',
    allowed: 'true or false',
    read: (raw) => {
      if (typeof raw === 'boolean') return raw;
      const word = typeof raw === 'string' ? raw.trim().toLowerCase() : '';
      if (YES.includes(word)) return true;
      return NO.includes(word) ? false : undefined;
    },
  });
}

/** One of a closed set of words. */
export function choice<const TWord extends string, const TOptions extends SettingOptions<NoInfer<TWord>>>(
  words: readonly TWord[],
  options: TOptions,
): Setting<Value<TWord, TOptions>> {
  return setting(options, {
    kind: 'choice',
    allowed: `one of ${words.join(', ')}`,
    read: (raw) => words.find((word) => word === (typeof raw === 'string' ? raw.trim() : raw)),
  });
}

export interface DurationOptions extends SettingOptions<Duration> {
  readonly min?: Duration;
  readonly max?: Duration;
}

/** A length of time with its unit, `15m`; the value is milliseconds. */
export function duration<const TOptions extends DurationOptions>(options: TOptions): Setting<Value<number, TOptions>> {
  return setting(
    options,
    quantity('duration', 'a duration like 250ms, 10s or 15m', options, parseDuration, formatDuration),
  );
}

export interface BytesOptions extends SettingOptions<Size> {
  readonly min?: Size;
  readonly max?: Size;
}

/** A size with its unit, `1MiB`; the value is bytes. */
export function bytes<const TOptions extends BytesOptions>(options: TOptions): Setting<Value<number, TOptions>> {
  return setting(options, quantity('bytes', 'a size like 64KiB or 1MiB', options, parseSize, formatSize));
}

function quantity(
  kind: string,
  what: string,
  range: { readonly min?: string; readonly max?: string },
  parse: (text: string) => number | undefined,
  print: (value: number) => string,
): Kind<number> {
  const limit = (text: string | undefined): number | undefined => {
    const value = text === undefined ? undefined : parse(text);
    if (text !== undefined && value === undefined)
      throw configErrors.VALUE_REFUSED({ allowed: what, got: `'${text}'` });
    return value;
  };
  const within = limits({ min: limit(range.min), max: limit(range.max) }, print);
  return {
    kind,
    allowed: `${what}${within.words === '' ? '' : `,${within.words}`}`,
    read: (raw) => {
      const value = raw === 0 ? 0 : typeof raw === 'string' ? parse(raw) : undefined;
      return value !== undefined && within.holds(value) ? value : undefined;
    },
    print,
  };
}

export interface UrlOptions extends SettingOptions<string> {
  /** Allowed schemes without colon. @default any */
  readonly schemes?: readonly string[];
}

/** An absolute URL, kept as written. Its password is masked wherever it is printed. */
export function url<const TOptions extends UrlOptions>(options: TOptions): Setting<Value<string, TOptions>> {
  const { schemes } = options;
  return setting(options, {
    kind: 'url',
    allowed: schemes ? `a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}` : 'a URL',
    read: (raw) => {
      if (!isText(raw) || !URL.canParse(raw)) return undefined;
      return schemes === undefined || schemes.includes(new URL(raw).protocol.slice(0, -1)) ? raw : undefined;
    },
    print: maskUrl,
    quote: (raw) => quoteRaw(typeof raw === 'string' ? maskUrl(raw) : raw),
  });
}

export interface ListOptions<TWord extends string> extends SettingOptions<readonly TWord[]> {
  /** The words allowed. @default any */
  readonly of?: readonly TWord[];
}

/** Words: an array in the file, separated by commas elsewhere. No word is empty or said twice. */
export function list<const TWord extends string, const TOptions extends ListOptions<TWord>>(
  options: TOptions & ListOptions<TWord>,
): Setting<Value<readonly TWord[], TOptions>> {
  const { of } = options;
  const known = (word: unknown): word is TWord => isText(word) && (of === undefined || of.some((one) => one === word));
  return setting(options, {
    kind: 'list',
    allowed: of ? `words out of ${of.join(', ')}, separated by commas` : 'words separated by commas',
    read: (raw): readonly TWord[] | undefined => {
      const words: unknown[] | undefined = isText(raw)
        ? raw.split(',').map((word) => word.trim())
        : Array.isArray(raw)
          ? raw
          : undefined;
      if (words === undefined || !words.every(known)) return undefined;
      return new Set(words).size === words.length ? Object.freeze(words) : undefined;
    },
    print: (words) => words.join(','),
  });
}

export interface SecretOptions extends Omit<SettingOptions<string>, 'default'> {
  /** Fewest characters. @default 1 */
  readonly minLength?: number;
}

/** A text that is never printed, neither in errors nor in `souk config`. It has no default: a secret in code is none. */
export function secret<const TOptions extends SecretOptions>(options: TOptions): Setting<Value<string, TOptions>> {
  const { minLength = 1 } = options;
  return setting(options, {
    kind: 'secret',
    allowed: minLength === 1 ? 'a text that is not empty' : `a text of at least ${minLength} characters`,
    read: (raw) => (isText(raw) && raw.length >= minLength ? raw : undefined),
    secret: true,
  });
}
