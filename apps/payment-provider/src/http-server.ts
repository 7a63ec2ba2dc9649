import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromUnknown, isSoukError, type Logger } from '@souk/kernel';
import { constantTimeEqual } from '@souk/security';
import { type Api, type ApiReply, refusal } from './api.ts';
import { providerErrors } from './errors.ts';
import type { Faults } from './faults.ts';

const MAX_BODY = 64 * 1024;
const KEEP_ALIVE_MS = 75_000;

export interface HttpServer {
  listen(port: number, host: string): Promise<string>;
  close(): Promise<void>;
}

/** Serves the API over HTTP/1.1 with keep-alive. A lost reply keeps its connection open and silent until the client gives up. */
export function createHttpServer(options: {
  readonly api: Api;
  readonly apiKey: string;
  readonly faults: Faults;
  readonly log: Logger;
}): HttpServer {
  const { api, apiKey, faults, log } = options;
  const bearer = `Bearer ${apiKey}`;

  const answer = async (request: IncomingMessage): Promise<ApiReply> => {
    const body = request.method === 'GET' ? '' : await readBody(request);
    const { headers, url = '/', method = 'GET' } = request;
    if (!constantTimeEqual(headers.authorization ?? '', bearer)) throw providerErrors.UNAUTHORIZED();
    const end = url.indexOf('?');
    const path = end === -1 ? url : url.slice(0, end);
    const query = new URLSearchParams(end === -1 ? '' : url.slice(end + 1));
    const key = headers['idempotency-key'];
    return api({ method, path, query, idempotencyKey: typeof key === 'string' ? key : undefined, body });
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (faults.down && !request.url?.startsWith('/v1/test/')) {
      request.socket.destroy();
      return;
    }
    try {
      const reply = await answer(request);
      if (!reply.lost) send(response, reply);
    } catch (thrown) {
      if (isSoukError(thrown) && thrown.reason.startsWith('PROVIDER_')) return send(response, refusal(thrown));
      log.error('a request failed', { err: fromUnknown(thrown), path: request.url });
      send(response, { status: 500, body: '{"error":{"code":"internal","message":"something went wrong"}}' });
    }
  };

  const server: Server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void serve(request, response);
  });
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          const address = server.address() as AddressInfo;
          resolve(`http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, { status, body }: ApiReply): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let body = '';
    request.setEncoding('utf8');
    const onData = (chunk: string): void => {
      body += chunk;
      if (body.length <= MAX_BODY) return;
      // The rest is thrown away as it comes.
      request.off('data', onData);
      request.resume();
      reject(providerErrors.BODY_TOO_LARGE({ max: MAX_BODY }));
    };
    request.on('data', onData);
    request.on('end', () => resolve(body));
    request.on('error', reject);
  });
}
