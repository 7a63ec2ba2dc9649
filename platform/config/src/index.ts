export type { Setting, Settings, SettingsShape } from './setting.ts';
