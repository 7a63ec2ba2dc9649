import { readFileSync } from 'node:fs';
import { createFileRegistry, type DescMessage, type DescService, fromBinary, type Message } from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Handlers } from '@souk/rpc';

// Compiled from proto/echo/v1/echo.proto. After a change of it, from the root:
//   buf build --config adapters/grpc/test/buf.yaml --path adapters/grpc/test/proto/echo --exclude-source-info \
//     --as-file-descriptor-set -o adapters/grpc/test/echo.binpb
const bytes = readFileSync(new URL('./echo.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));

export type SayRequest = Message<'echo.v1.SayRequest'> & { text: string; times: number };
export type SayResponse = Message<'echo.v1.SayResponse'> & { text: string; number: bigint };

type Method<TKind extends string> = {
  methodKind: TKind;
  input: GenMessage<SayRequest>;
  output: GenMessage<SayResponse>;
};

export const EchoService = registry.getService('echo.v1.EchoService') as DescService as GenService<{
  say: Method<'unary'>;
  count: Method<'server_streaming'>;
  join: Method<'client_streaming'>;
  talk: Method<'bidi_streaming'>;
  pay: Method<'unary'>;
  inside: Method<'server_streaming'>;
}>;

export const SayRequestSchema = registry.getMessage('echo.v1.SayRequest') as DescMessage as GenMessage<SayRequest>;
export const SayResponseSchema = registry.getMessage('echo.v1.SayResponse') as DescMessage as GenMessage<SayResponse>;

export type EchoHandlers = Handlers<typeof EchoService>;

/** Handlers that answer with what they were told; a test replaces those it is about. */
export const echoHandlers = (own: Partial<EchoHandlers> = {}): EchoHandlers => ({
  say: async (_ctx, { text }) => ({ text }),
  count: async function* (_ctx, { text, times }) {
    for (let number = 1n; number <= times; number++) yield { text, number };
  },
  join: async (_ctx, requests) => {
    const texts: string[] = [];
    for await (const { text } of requests) texts.push(text);
    return { text: texts.join(' '), number: BigInt(texts.length) };
  },
  talk: async function* (_ctx, requests) {
    let number = 0n;
    for await (const { text } of requests) yield { text, number: ++number };
  },
  pay: async (ctx, { text }) => ({ text: `${ctx.caller.userId} ${ctx.idempotencyKey} ${text}` }),
  inside: async function* () {},
  ...own,
});
