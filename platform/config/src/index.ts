export type { Sections } from './declaration.ts';
export { type Environment, readEnvironment } from './environment.ts';
export { configErrors } from './errors.ts';
export {
  type BytesOptions,
  bytes,
  choice,
  type DurationOptions,
  decimal,
  duration,
  flag,
  integer,
  type JsonOptions,
  json,
  type ListOptions,
  list,
  type NumberOptions,
  port,
  type SecretOptions,
  type SettingOptions,
  secret,
  type TextOptions,
  text,
  type UrlOptions,
  url,
} from './kinds.ts';
export {
  type EffectiveSetting,
  type LoadedSettings,
  type LoadOptions,
  loadSettings,
  type SettingsOf,
} from './load-settings.ts';
export { type Duration, formatDuration, formatSize, parseDuration, parseSize, type Size } from './quantity.ts';
export type { Setting, Settings, SettingsShape } from './setting.ts';
export { readSettingsFile, type SettingsFile } from './settings-file.ts';
