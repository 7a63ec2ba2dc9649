import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { fromUnknown, type Logger, type Part, type Runtime } from '@souk/kernel';
import { constantTimeEqual } from '@souk/security';
import { ensureOperatorToken } from '../operator-token.ts';
import { type ControlAddress, publishControl, type RestartLine, withdrawControl } from './find-control.ts';
import type { Status } from './status.ts';

export interface ControlInit {
  /** Data folder: who can read it may steer. */
  readonly folder: string;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly status: Status;
  readonly restart: (name: string, onStep: (step: string) => void) => Promise<void>;
  readonly shopUrl: () => string;
}

/** Shows and steers processes, for commands on this machine: over HTTP on the loopback address, with the token of operators. */
export function createControl(init: ControlInit): Part {
  const { folder, runtime, log } = init;
  const token = ensureOperatorToken(folder, runtime.random);
  const server = createServer((request, response) => {
    handle(init, token, request, response).catch((thrown) => {
      log.error('a request to the supervisor failed', { err: fromUnknown(thrown) });
      response.destroy();
    });
  });
  return {
    name: 'control',
    start: async () => {
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const address: ControlAddress = { url: `http://127.0.0.1:${port}`, shopUrl: init.shopUrl(), pid: process.pid };
      publishControl(folder, address);
    },
    stop: async () => {
      withdrawControl(folder);
      server.close();
      server.closeAllConnections();
    },
  };
}

async function handle(
  { status, restart }: ControlInit,
  token: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.resume();
  const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (given === undefined || !constantTimeEqual(given, token)) return void response.writeHead(401).end();
  const name = /^\/restart\/([a-z][a-z0-9-]*)$/.exec(request.url ?? '')?.[1];
  if (request.method === 'GET' && request.url === '/processes') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(status.read()));
  } else if (request.method === 'POST' && name !== undefined) {
    // A line for each step, as it happens: a restart takes seconds.
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const write = (line: RestartLine) => void response.write(`${JSON.stringify(line)}\n`);
    try {
      await restart(name, (step) => write({ step }));
      write({ done: true });
    } catch (thrown) {
      write({ error: fromUnknown(thrown).message });
    }
    response.end();
  } else {
    response.writeHead(404).end();
  }
}
