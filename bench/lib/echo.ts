// What engines of the bench `rpc` are told and say, and the contract that all of them speak.

import {
  create,
  createFileRegistry,
  type DescService,
  fromBinary,
  fromJson,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Certificates } from './certificates.ts';
import { closedLoop, report } from './engine.ts';

export type Echo = Message<'bench.v1.Echo'> & { id: string; quantity: number; note: string };
type Method<K extends 'unary' | 'server_streaming'> = {
  methodKind: K;
  input: GenMessage<Echo>;
  output: GenMessage<Echo>;
};

const field = (name: string, number: number, type: string) => ({
  ...{ name, jsonName: name, number, type, label: 'LABEL_OPTIONAL' },
});
const types = { inputType: '.bench.v1.Echo', outputType: '.bench.v1.Echo' };
const file = {
  ...{ name: 'bench/v1/echo.proto', package: 'bench.v1', syntax: 'proto3' },
  messageType: [
    {
      name: 'Echo',
      field: [field('id', 1, 'TYPE_STRING'), field('quantity', 2, 'TYPE_INT32'), field('note', 3, 'TYPE_STRING')],
    },
  ],
  service: [
    {
      name: 'EchoService',
      method: [
        { name: 'Echo', ...types },
        { name: 'Repeat', ...types, serverStreaming: true },
      ],
    },
  ],
};

/** `Echo` answers with what it was asked, `Repeat` so often as `quantity` says. */
export const EchoService = createFileRegistry(fromJson(FileDescriptorSetSchema, { file: [file] })).getService(
  'bench.v1.EchoService',
) as DescService as GenService<{ echo: Method<'unary'>; repeat: Method<'server_streaming'> }>;

export const EchoSchema = EchoService.method.echo.input;
export const encode = (message: Echo): Buffer => {
  const { buffer, byteOffset, byteLength } = toBinary(EchoSchema, message);
  return Buffer.from(buffer, byteOffset, byteLength);
};
export const decode = (bytes: Uint8Array): Echo => fromBinary(EchoSchema, bytes);

export const newEcho = (n: number): Echo =>
  create(EchoSchema, { id: `ord_0198f4e2-${n}`, quantity: n, note: 'ring twice, leave it with the neighbours' });

/** Longest time that any call may take, in milliseconds: everybody's calls have a deadline. */
export const TIMEOUT_MS = 10_000;

export interface RpcOrder {
  readonly role: 'server' | 'client' | 'stream';
  readonly port: number;
  readonly tls?: Certificates;
  readonly concurrency: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

export const readRpcOrder = (): RpcOrder => JSON.parse(process.argv[2] as string) as RpcOrder;

/** Tells the parent where the server listens. It serves until it is killed. */
export const serving = (port: number): void => void process.stdout.write(`${JSON.stringify({ port })}\n`);

/** What an answer was made of. */
export type Fields = Pick<Echo, 'id' | 'quantity' | 'note'>;

/** Calls until the time is over, and compares every answer with its question. */
export async function measureCalls(order: RpcOrder, call: (asked: Echo) => Promise<Fields>): Promise<void> {
  let wrong = 0;
  const figures = await closedLoop({ ...order, url: '', units: 0 }, async (n) => {
    const asked = newEcho(n);
    const { id, quantity, note } = await call(asked);
    if (id !== asked.id || quantity !== asked.quantity || note !== asked.note) wrong++;
  });
  report(figures, [wrong > 0 && `${wrong} answers were not those to their questions`]);
}

/** Messages of one stream. */
const STREAM_LENGTH = 1000;

/** Reads one stream after the other, and counts messages. @param read Gives the messages of a stream one by one. */
export async function measureStreams(
  order: RpcOrder,
  read: (asked: Echo, each: (got: Fields) => void) => Promise<void>,
): Promise<void> {
  let wrong = 0;
  const figures = await closedLoop({ ...order, url: '', units: 0 }, async (n) => {
    const asked = { ...newEcho(n), quantity: STREAM_LENGTH };
    let got = 0;
    await read(asked, ({ id, quantity, note }) => {
      if (id !== asked.id || quantity !== got || note !== asked.note) wrong++;
      got++;
    });
    if (got !== STREAM_LENGTH) wrong++;
  });
  const perSecond = figures.perSecond * STREAM_LENGTH;
  report({ ...figures, perSecond }, [wrong > 0 && `${wrong} messages were lost, doubled or wrong`]);
}
