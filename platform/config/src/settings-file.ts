import { readFile } from 'node:fs/promises';
import { configErrors } from './errors.ts';

/** A settings file as it was read. */
export interface SettingsFile {
  /** Said in errors and origins. */
  readonly path: string;
  /** JSON: an object of sections, each an object of settings. */
  readonly text: string;
}

/**
 * @param path Usually `souk.json` in the working directory.
 * @param options.required Whether a missing file is an error: true for a file that somebody named, false for the usual place.
 * @returns undefined when the file is missing and may be
 * @throws CONFIG_FILE_UNREADABLE
 */
export async function readSettingsFile(
  path: string,
  options: { readonly required: boolean },
): Promise<SettingsFile | undefined> {
  try {
    return { path, text: await readFile(path, 'utf8') };
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    if (why === 'ENOENT' && !options.required) return undefined;
    throw configErrors.FILE_UNREADABLE({ path, why: why === 'ENOENT' ? 'there is no such file' : why }, { cause });
  }
}
