import { execFile } from 'node:child_process';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { fromUnknown } from '@souk/kernel';
import type { Status } from '../state/catalog.ts';
import type { Target } from './definition.ts';
import { probeGrpc } from './probe-grpc.ts';
import { type ProbeOptions, type ProbeResult, splitAddress } from './probe-result.ts';

/** Asks once. Never throws: what goes wrong is a critical result. */
export async function probe(target: Target, options: ProbeOptions): Promise<ProbeResult> {
  try {
    if (target.kind === 'http') return await probeHttp(target, target.url, REDIRECTS, options);
    if (target.kind === 'tcp') return await probeTcp(target.address, options);
    if (target.kind === 'grpc') return await probeGrpc(target, options);
    return await runScript(target.args, options);
  } catch (thrown) {
    return { status: 'critical', output: `${labelOf(target)}: ${whyOf(thrown, options.signal)}` };
  }
}

type HttpTarget = Extract<Target, { kind: 'http' }>;

const REDIRECTS = 10;
const USER_AGENT = 'Consul Health Check';

async function probeHttp(
  target: HttpTarget,
  url: string,
  redirects: number,
  options: ProbeOptions,
): Promise<ProbeResult> {
  const { guard, signal, maxBytes } = options;
  const { hostname, protocol, host } = new URL(url);
  guard.check(hostname);
  const send = protocol === 'https:' ? httpsRequest : httpRequest;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = send(url, {
      method: target.method,
      // A connection of its own: that one can be made is part of the question.
      agent: false,
      headers: { 'user-agent': USER_AGENT, accept: 'text/plain, text/*, */*', ...lowerCase(target.headers) },
      ...{ lookup: guard.lookup, signal, rejectUnauthorized: !target.skipVerify },
    });
    request.once('response', resolve);
    request.once('error', reject);
    request.end(target.body);
  });
  const { statusCode = 0, statusMessage = '', headers } = response;
  const next = headers.location === undefined ? undefined : new URL(headers.location, url);
  if (statusCode >= 300 && statusCode < 400 && target.followRedirects && next?.host === host && redirects > 0) {
    response.destroy();
    return probeHttp(target, next.href, redirects - 1, options);
  }
  const body = await readSome(response, maxBytes);
  const good = statusCode >= 200 && statusCode < 300;
  const status: Status = good ? 'passing' : statusCode === 429 ? 'warning' : 'critical';
  return { status, output: `HTTP ${target.method} ${target.url}: ${statusCode} ${statusMessage} Output: ${body}` };
}

const lowerCase = (headers: HttpTarget['headers']): Record<string, string[]> =>
  Object.fromEntries(Object.entries(headers).map(([name, values]) => [name.toLowerCase(), [...values]]));

async function readSome(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop closes the connection.
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8');
}

function probeTcp(address: string, { guard, signal }: ProbeOptions): Promise<ProbeResult> {
  const { host, port } = splitAddress(address);
  guard.check(host);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, lookup: guard.lookup, signal });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve({ status: 'passing', output: `TCP connect ${address}: Success` });
    });
  });
}

function runScript(args: readonly string[], { signal, maxBytes }: ProbeOptions): Promise<ProbeResult> {
  const [command = '', ...rest] = args;
  return new Promise((resolve, reject) => {
    execFile(command, rest, { signal, maxBuffer: 1024 * 1024 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') {
        reject(error);
        return;
      }
      const code = error === null ? 0 : Number(error.code);
      const status: Status = code === 0 ? 'passing' : code === 1 ? 'warning' : 'critical';
      resolve({ status, output: `${stdout}${stderr}`.slice(0, maxBytes) });
    });
  });
}

function labelOf(target: Target): string {
  if (target.kind === 'http') return `HTTP ${target.method} ${target.url}`;
  if (target.kind === 'tcp') return `TCP connect ${target.address}`;
  return target.kind === 'grpc' ? `gRPC check ${target.address}` : 'script';
}

function whyOf(thrown: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'timed out';
  const error = fromUnknown(thrown);
  if (error.reason !== 'SOUK_INTERNAL') return error.message;
  return thrown instanceof Error ? thrown.message : 'failed';
}
