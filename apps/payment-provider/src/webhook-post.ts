import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Runtime } from '@souk/kernel';

/** Sends one event. @returns whether the receiver took it */
export interface WebhookPost {
  (url: string, body: Uint8Array, headers: Readonly<Record<string, string>>): Promise<boolean>;
  close(): void;
}

export function createWebhookPost(runtime: Runtime, maxSockets: number, timeoutMs: number): WebhookPost {
  const agents = {
    'http:': new HttpAgent({ keepAlive: true, maxSockets }),
    'https:': new HttpsAgent({ keepAlive: true, maxSockets }),
  };
  const open = new Set<() => void>();
  const post = (url: string, body: Uint8Array, headers: Readonly<Record<string, string>>): Promise<boolean> =>
    new Promise((resolve) => {
      // What cannot even be asked is not taken: thrown here, it would be tried again at once, for ever.
      if (!URL.canParse(url)) return resolve(false);
      const secure = url.startsWith('https:');
      const request = (secure ? httpsRequest : httpRequest)(url, {
        method: 'POST',
        agent: agents[secure ? 'https:' : 'http:'],
        headers: { ...headers, 'content-type': 'application/json', 'content-length': body.byteLength },
      });
      const abort = () => void request.destroy();
      const timer = runtime.timers.after(timeoutMs, abort);
      const end = (taken: boolean) => {
        timer.cancel();
        open.delete(abort);
        resolve(taken);
      };
      open.add(abort);
      request.on('error', () => end(false));
      request.on('response', (response) => {
        const { statusCode = 0 } = response;
        response.resume();
        response.on('error', () => end(false));
        response.on('close', () => end(statusCode >= 200 && statusCode < 300 && response.complete));
      });
      request.end(body);
    });
  const close = (): void => {
    for (const abort of open) abort();
    agents['http:'].destroy();
    agents['https:'].destroy();
  };
  return Object.assign(post, { close });
}
