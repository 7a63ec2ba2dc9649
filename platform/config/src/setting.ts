/**
 * One setting: how it is read, what it may be, what it is for. Made by `text`, `integer`, `decimal`, `port`, `flag`, `choice`,
 * `duration`, `bytes`, `url`, `list` or `secret`.
 */
export interface Setting<TValue> {
  readonly kind: string;
  /** For people: what the setting does, its unit, and both sides of the trade-off. */
  readonly description: string;
  readonly fallback: TValue | undefined;
  /** True when no value is a valid value. */
  readonly optional: boolean;
  /** Never printed. */
  readonly secret: boolean;
  /** What is allowed, in words, for errors and help. */
  readonly allowed: string;
  /** Names of environment variables that set it, besides its own. */
  readonly env: readonly string[];
  /** @throws CONFIG_VALUE_REFUSED, whose text is without the raw value when the setting is secret */
  parse(raw: unknown): TValue;
  /** The value as people read it: `15m`, not 900000. Secrets and passwords inside URLs are masked. */
  print(value: TValue): string;
}

/** Settings by name. */
export type SettingsShape = Readonly<Record<string, Setting<unknown>>>;

/** The values of a shape. */
export type Settings<TShape extends SettingsShape> = {
  readonly [K in keyof TShape]: TShape[K] extends Setting<infer TValue> ? TValue : never;
};
