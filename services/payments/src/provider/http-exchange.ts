import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Context, Runtime } from '@souk/kernel';
import { paymentErrors } from '../errors.ts';

export interface HttpExchangeOptions {
  readonly runtime: Runtime;
  readonly url: string;
  readonly apiKey: string;
  /** Milliseconds until a connection stands. */
  readonly connectMs: number;
  /** Milliseconds for one request in all. */
  readonly totalMs: number;
  /** Connections at most; further requests wait for one. */
  readonly maxSockets: number;
}

export interface HttpReply {
  readonly status: number;
  readonly body: unknown;
}

/** Sends one request over a kept connection, and tells what surely did not happen from what may have. */
export interface HttpExchange {
  /** @throws PAYMENTS_PROVIDER_UNAVAILABLE, PAYMENTS_PROVIDER_TIMED_OUT */
  send(ctx: Context, method: 'GET' | 'POST', path: string, key?: string, body?: unknown): Promise<HttpReply>;
  close(): void;
}

const MAX_REPLY = 4 * 1024 * 1024;

export function createHttpExchange(options: HttpExchangeOptions): HttpExchange {
  const { runtime, connectMs, totalMs, maxSockets } = options;
  const base = new URL(options.url);
  const secure = base.protocol === 'https:';
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets, scheduling: 'lifo' });
  const request = secure ? httpsRequest : httpRequest;
  const prefix = base.pathname === '/' ? '' : base.pathname.replace(/\/$/, '');
  const target = { agent, protocol: base.protocol, hostname: base.hostname.replace(/^\[|\]$/g, ''), port: base.port };
  const authorization = `Bearer ${options.apiKey}`;

  const send: HttpExchange['send'] = (ctx, method, path, key, body) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers: Record<string, string | number> = { authorization };
      if (key !== undefined) headers['idempotency-key'] = key;
      if (method === 'POST') {
        headers['content-type'] = 'application/json';
        headers['content-length'] = Buffer.byteLength(text);
      }
      let connected = false;
      const outgoing = request({ ...target, method, path: prefix + path, headers });
      const giveUp = () => void outgoing.destroy();
      const timer = runtime.timers.after(Math.min(totalMs, ctx.remainingMs()), giveUp);
      outgoing.on('socket', (socket) => {
        if (!socket.connecting) {
          connected = true;
          return;
        }
        const connecting = runtime.timers.after(connectMs, giveUp);
        socket.once('connect', () => {
          connected = true;
          connecting.cancel();
        });
        socket.once('close', () => connecting.cancel());
      });
      const fail = (cause: unknown): void => {
        timer.cancel();
        // Without a connection nothing was sent, so nothing happened.
        reject(
          connected
            ? paymentErrors.PROVIDER_TIMED_OUT({}, { cause })
            : paymentErrors.PROVIDER_UNAVAILABLE({}, { cause }),
        );
      };
      outgoing.on('error', fail);
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_REPLY) giveUp();
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('end', () => {
          timer.cancel();
          try {
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
          } catch (cause) {
            fail(cause);
          }
        });
      });
      outgoing.end(text);
    });

  return { send, close: () => agent.destroy() };
}
