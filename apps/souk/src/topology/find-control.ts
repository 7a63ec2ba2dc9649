import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { appErrors } from '../errors.ts';
import { readOperatorToken } from '../operator-token.ts';
import type { ProcessStatus } from './status.ts';

/** Where the processes of a split shop are steered, as commands on this machine find it in the data folder. */
export interface ControlAddress {
  readonly url: string;
  readonly shopUrl: string;
  readonly pid: number;
}

/** A line of the answer to a restart. */
export type RestartLine = { readonly step: string } | { readonly done: true } | { readonly error: string };

const FILE = 'supervisor.json';

/** Written beside and moved: a reader never sees half of it. */
export function publishControl(folder: string, address: ControlAddress): void {
  const fresh = join(folder, `${FILE}.${process.pid}`);
  writeFileSync(fresh, JSON.stringify(address), { mode: 0o600 });
  renameSync(fresh, join(folder, FILE));
}

export const withdrawControl = (folder: string): void => rmSync(join(folder, FILE), { force: true });

/** @throws APP_NOT_SPLIT */
export function findControl(folder: string): ControlAddress {
  try {
    const address = JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as ControlAddress;
    // A file that a killed one left behind.
    process.kill(address.pid, 0);
    return address;
  } catch (cause) {
    throw appErrors.NOT_SPLIT({ folder }, { cause });
  }
}

/** Where the shop of this folder is: as given, as a split shop says, or at the port of the settings on this machine. */
export function shopUrlOf(given: string | boolean | undefined, folder: string, port: number): string {
  if (given !== undefined) return String(given);
  try {
    return findControl(folder).shopUrl;
  } catch {
    return `http://127.0.0.1:${port}`;
  }
}

/** The processes of a running shop; undefined where none runs that is split, or it does not answer. */
export async function readProcesses(
  folder: string,
): Promise<{ readonly shopUrl: string; readonly processes: readonly ProcessStatus[] } | undefined> {
  try {
    const { url, shopUrl } = findControl(folder);
    const headers = { authorization: `Bearer ${readOperatorToken(folder)}` };
    const response = await fetch(`${url}/processes`, { headers });
    return response.ok ? { shopUrl, processes: (await response.json()) as ProcessStatus[] } : undefined;
  } catch {
    return undefined;
  }
}
