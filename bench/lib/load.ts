import { Agent, request } from 'node:http';

/** A client as lean as Node.js has one: on two cores the load generator must not be what is measured. */
export interface LoadClient {
  send(call: Call): Promise<{ status: number; body: string }>;
  close(): void;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** @param connections Connections at most, kept open. */
export function createLoadClient(url: string, connections: number): LoadClient {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' });
  return {
    send: ({ method, path, headers = {}, body }) =>
      new Promise((resolve, reject) => {
        const outgoing = request({ agent, hostname, port, method, path, headers }, (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
          response.on('error', reject);
        });
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** Runs `work` in a closed loop of `workers` for `seconds`. @returns latencies in milliseconds of what began after the warm-up */
export async function closedLoop(options: {
  workers: number;
  warmUpSeconds: number;
  seconds: number;
  work: (worker: number, round: number) => Promise<void>;
}): Promise<{ latencies: number[]; perSecond: number }> {
  const startMs = performance.now();
  const fromMs = startMs + options.warmUpSeconds * 1000;
  const untilMs = fromMs + options.seconds * 1000;
  const latencies: number[] = [];
  const loop = async (worker: number) => {
    for (let round = 0; performance.now() < untilMs; round++) {
      const beganMs = performance.now();
      await options.work(worker, round);
      const endMs = performance.now();
      if (beganMs >= fromMs && endMs <= untilMs) latencies.push(endMs - beganMs);
    }
  };
  await Promise.all(Array.from({ length: options.workers }, (_, worker) => loop(worker)));
  return { latencies, perSecond: latencies.length / options.seconds };
}
