// Servers that wait in processes of their own, and clients that take turns with them.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RpcOrder } from './echo.ts';
import { type Report, runScript } from './engines.ts';

export interface RunningServer {
  readonly port: number;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 20_000;

/** Starts `peers/rpc/<engine>.ts` as a server. */
export async function startRpcServer(engine: string, order: Partial<RpcOrder>): Promise<RunningServer> {
  const path = fileURLToPath(new URL(`../peers/rpc/${engine}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', path, JSON.stringify({ role: 'server', ...order })], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const opened = new Promise<number>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`the server of ${engine} did not open`)), START_LIMIT_MS);
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const port = /\{"port":(\d+)\}/.exec(output)?.[1];
      if (port === undefined) return;
      clearTimeout(limit);
      resolve(Number(port));
    });
    child.once('exit', (code) => reject(new Error(`the server of ${engine} ended with ${code}`)));
  });
  try {
    return { port: await opened, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws when an answer was wrong or missing */
export async function runRpcClient(engine: string, order: RpcOrder): Promise<Report> {
  const report = await runScript<Report>(`rpc/${engine}`, order);
  if (report.violations.length > 0) throw new Error(`${engine}: ${report.violations.join('; ')}`);
  return report;
}
