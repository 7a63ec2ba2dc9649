import { loadSettings } from '@souk/config';
import { type Runtime, silentLogger, systemRuntime } from '@souk/kernel';
import { createRegistryServer, type RegistryServer, type RegistrySettings, registrySettings } from '../src/index.ts';

export const defaults: RegistrySettings = loadSettings({ sections: { registry: registrySettings } }).values.registry;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever the API answers
  json(): any;
}

export interface RunningRegistry {
  readonly url: string;
  readonly server: RegistryServer;
  get(path: string, options?: RequestInit): Promise<Answer>;
  /** @param body Text as it is; anything else as JSON. */
  put(path: string, body?: unknown): Promise<Answer>;
  send(method: string, path: string, options?: RequestInit): Promise<Answer>;
  stop(): Promise<void>;
}

/** A registry of its own, on a port that is free. */
export async function startRegistry(
  settings: Partial<RegistrySettings> = {},
  options: { readonly runtime?: Runtime; readonly folder?: string } = {},
): Promise<RunningRegistry> {
  const server = createRegistryServer({
    runtime: options.runtime ?? systemRuntime(),
    log: silentLogger,
    folder: options.folder,
    http: { host: '127.0.0.1', port: 0 },
    settings: { ...defaults, commitDelay: 0, ...settings },
  });
  const { httpUrl: url } = await server.start();
  const send = async (method: string, path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(url + path, { method, ...init });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  };
  return {
    ...{ url, server, send },
    get: (path, init) => send('GET', path, init),
    put: (path, body) =>
      send('PUT', path, body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    stop: () => server.stop(),
  };
}

/** Lets everything that is under way come in, without waiting for time. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
