import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Target } from './definition.ts';
import { type ProbeOptions, type ProbeResult, splitAddress } from './probe-result.ts';

const SERVING = 1;
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** Asks `grpc.health.v1.Health/Check`, which is one message of one field each way. An address may name a service: `host:port/service`. */
export async function probeGrpc(
  target: Extract<Target, { kind: 'grpc' }>,
  { guard, signal }: ProbeOptions,
): Promise<ProbeResult> {
  const slash = target.address.indexOf('/');
  const address = slash === -1 ? target.address : target.address.slice(0, slash);
  const service = slash === -1 ? '' : target.address.slice(slash + 1);
  const { host, port } = splitAddress(address);
  guard.check(host);
  const socketOptions = { host, port, lookup: guard.lookup, signal };
  const session = connectHttp2(`${target.useTls ? 'https' : 'http'}://${address}`, {
    createConnection: () =>
      target.useTls
        ? connectTls({ ...socketOptions, ALPNProtocols: ['h2'], rejectUnauthorized: !target.skipVerify })
        : connectTcp(socketOptions),
  });
  try {
    return await new Promise<ProbeResult>((resolve, reject) => {
      session.once('error', reject);
      const stream = session.request(
        {
          ':method': 'POST',
          ':path': '/grpc.health.v1.Health/Check',
          'content-type': 'application/grpc',
          te: 'trailers',
          'user-agent': 'Consul Health Check',
        },
        { signal },
      );
      const chunks: Buffer[] = [];
      let grpcStatus = '';
      stream.once('error', reject);
      stream.on('response', (headers) => {
        grpcStatus = String(headers['grpc-status'] ?? '');
        if (Number(headers[':status']) !== 200) grpcStatus ||= `HTTP ${headers[':status']}`;
      });
      stream.on('trailers', (trailers) => {
        grpcStatus = String(trailers['grpc-status'] ?? '');
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('close', () => resolve(judge(target.address, grpcStatus, Buffer.concat(chunks))));
      stream.end(frame(service));
    });
  } finally {
    session.destroy();
  }
}

/** Five bytes of frame, then field 1 of the message: the name of the service. */
function frame(service: string): Buffer {
  const name = Buffer.from(service);
  const field = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(field.length, 1);
  return Buffer.concat([head, field]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return Buffer.from([...bytes, left]);
    bytes.push((left & 0x7f) | 0x80);
  }
}

function judge(address: string, grpcStatus: string, message: Buffer): ProbeResult {
  if (grpcStatus !== '0') {
    return { status: 'critical', output: `gRPC check ${address}: status ${grpcStatus || 'missing'}` };
  }
  // Behind the frame: field 1, a varint below 128. An empty message is the value 0.
  const status = message.length >= 7 && message[5] === 0x08 ? (message[6] ?? 0) : 0;
  if (status === SERVING) return { status: 'passing', output: `gRPC check ${address}: success` };
  return { status: 'critical', output: `gRPC check ${address}: ${STATUS_NAMES[status] ?? status}` };
}
