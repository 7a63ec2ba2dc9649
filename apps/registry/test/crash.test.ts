import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface Process {
  readonly url: string;
  end(signal: NodeJS.Signals): Promise<{ readonly code: number | null }>;
}

async function start(folder: string): Promise<Process> {
  const child: ChildProcess = spawn(
    process.execPath,
    [MAIN, 'agent', '-data-dir', folder, '-http-port', '0', '-dns-port', '-1', '--registry.snapshot-bytes=20000'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = new Promise<{ code: number | null }>((resolve) => child.once('exit', (code) => resolve({ code })));
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = /^(http:\/\/\S+)$/m.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('exit', () => reject(new Error(`the registry did not start: ${output}`)));
  });
  return {
    url,
    end: (signal) => {
      child.kill(signal);
      return exited;
    },
  };
}

test('killed in the middle of writes, it has all it ever confirmed when it is back, twice over', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'souk-registry-'));
  const confirmed = new Map<string, number>();
  let count = 0;
  let index = 0;
  try {
    for (let round = 0; round < 2; round += 1) {
      const registry = await start(folder);
      const ofAll = async () => {
        const answer = await fetch(`${registry.url}/v1/catalog/service/web`);
        const found = (await answer.json()) as ReadonlyArray<{ ServiceID: string; ServicePort: number }>;
        const now = Number(answer.headers.get('x-consul-index'));
        assert.ok(now >= index, 'the index went back');
        index = now;
        return new Map(found.map((one) => [one.ServiceID, one.ServicePort]));
      };
      const there = await ofAll();
      for (const [id, port] of confirmed) assert.equal(there.get(id), port, `${id} is lost`);

      let alive = true;
      const write = async (worker: number): Promise<void> => {
        while (alive) {
          const id = `web-${worker}-${count++ % 50}`;
          const port = count % 60_000;
          try {
            const answer = await fetch(`${registry.url}/v1/agent/service/register`, {
              ...{ method: 'PUT', body: JSON.stringify({ Name: 'web', ID: id, Port: port }) },
            });
            if (answer.status === 200) confirmed.set(id, port);
            else confirmed.delete(id);
          } catch {
            // Whether it was made is not known.
            confirmed.delete(id);
          }
        }
      };
      const before = count;
      const writers = [0, 1, 2, 3].map(write);
      while (count < before + 100) await ofAll();
      await registry.end('SIGKILL');
      alive = false;
      await Promise.all(writers);
      assert.ok(confirmed.size > 20);
    }
    const registry = await start(folder);
    const { code } = await registry.end('SIGTERM');
    assert.equal(code, 0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
