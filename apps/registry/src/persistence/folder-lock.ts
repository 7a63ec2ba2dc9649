import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registryErrors } from '../errors.ts';

/**
 * Makes sure that a folder has one registry. Held by a socket, which the system lets go of whatever way the process ends: a file with a
 * process id would outlive it, and might name somebody else by then.
 *
 * @returns what lets go of it
 * @throws REGISTRY_FOLDER_IN_USE
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const name = `souk-registry-${createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 16)}`;
  // An abstract name on Linux: no file is left behind.
  const path = process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
  const held = (await listen(path)) ?? ((await answers(path)) ? undefined : await takeOver(path));
  if (held === undefined) throw registryErrors.FOLDER_IN_USE({ folder });
  return held;
}

function listen(path: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen(path, () => {
      server.unref();
      resolve(() => new Promise((closed) => server.close(() => closed())));
    });
  });
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

async function takeOver(path: string): Promise<(() => Promise<void>) | undefined> {
  if (!path.startsWith('\0')) await rm(path, { force: true });
  return listen(path);
}
