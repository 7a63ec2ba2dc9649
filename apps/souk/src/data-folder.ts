import { isAbsolute, join } from 'node:path';

/** Everything the shop keeps on disk. A relative folder is meant from where the command was called. */
export const dataFolder = (setting: string, cwd: string): string =>
  isAbsolute(setting) ? setting : join(cwd, setting);
