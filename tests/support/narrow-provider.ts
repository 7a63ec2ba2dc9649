// A payment provider that does so much and no more: requests wait in line, and each is worked on when its turn comes, whether or not
// anybody still waits for the answer.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OutsideProvider, outsideProvider } from './outside-provider.ts';

export interface NarrowProvider extends Pick<OutsideProvider, 'folder' | 'args' | 'inspect' | 'stop'> {
  /** Milliseconds that one request takes. May be changed at any time; that which is under way ends as it began. */
  requestMs: number;
  /** Requests that came so far. */
  readonly asked: number;
  /** Those that were done when nobody waited for them any more. */
  readonly inVain: number;
  /** Those that wait in line. */
  readonly waiting: number;
}

interface Request {
  readonly from: IncomingMessage;
  readonly to: ServerResponse;
  readonly body: Buffer;
  readonly cameMs: number;
}

const URL_SETTING = '--payments.provider-url=';

export async function narrowProvider(requestMs: number): Promise<NarrowProvider> {
  const inner = await outsideProvider();
  const innerUrl = inner.args.find((arg) => arg.startsWith(URL_SETTING))?.slice(URL_SETTING.length);
  const line: Request[] = [];
  const figures = { asked: 0, inVain: 0 };
  const work = async ({ from, to, body }: Request): Promise<void> => {
    if (to.destroyed) figures.inVain++;
    const { host: _, connection: __, 'content-length': ___, ...headers } = from.headers;
    try {
      const answer = await fetch(`${innerUrl}${from.url}`, {
        method: from.method as string,
        headers: headers as Record<string, string>,
        ...(body.length > 0 && { body }),
      });
      const text = await answer.text();
      to.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
    } catch {
      // The test has ended.
      to.destroy();
    }
  };
  let isWorking = false;
  /** The next is begun when it is due and not when a timer says so: timers that come late would make it slower than it says. */
  const serve = async (): Promise<void> => {
    if (isWorking) return;
    isWorking = true;
    let freeMs = Number.NEGATIVE_INFINITY;
    for (let next = line.shift(); next !== undefined; next = line.shift()) {
      freeMs = Math.max(freeMs, next.cameMs) + provider.requestMs;
      const waitMs = freeMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      void work(next);
    }
    isWorking = false;
  };
  const server = createServer(async (from, to) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of from) chunks.push(chunk as Buffer);
    } catch {
      // Whoever asked left before it had said what it wanted.
      return;
    }
    figures.asked++;
    line.push({ from, to, body: Buffer.concat(chunks), cameMs: performance.now() });
    void serve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const provider: NarrowProvider = {
    requestMs,
    folder: inner.folder,
    args: inner.args.map((arg) => (arg.startsWith(URL_SETTING) ? `${URL_SETTING}http://127.0.0.1:${port}` : arg)),
    inspect: inner.inspect,
    get asked() {
      return figures.asked;
    },
    get inVain() {
      return figures.inVain;
    },
    get waiting() {
      return line.length;
    },
    stop: async () => {
      line.length = 0;
      server.close();
      server.closeAllConnections();
      await inner.stop();
    },
  };
  return provider;
}
