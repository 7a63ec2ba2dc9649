import { createFileRegistry, type DescService, fromJson, type JsonObject, type Message } from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Handlers } from '@souk/rpc';

export type Echo = Message<'echo.v1.Echo'> & { text: string; number: number; payload: Uint8Array };
type Unary = { methodKind: 'unary'; input: GenMessage<Echo>; output: GenMessage<Echo> };

const field = (name: string, number: number, type: string) => ({
  name,
  jsonName: name,
  number,
  type,
  label: 'LABEL_OPTIONAL',
});
const method = (name: string, options: JsonObject = {}) => ({
  name,
  inputType: '.echo.v1.Echo',
  outputType: '.echo.v1.Echo',
  options,
});

/** A contract of two methods that take and give the same message; `Get` is a read, `Change` is not. */
const file = {
  name: 'echo/v1/echo.proto',
  package: 'echo.v1',
  syntax: 'proto3',
  messageType: [
    {
      name: 'Echo',
      field: [field('text', 1, 'TYPE_STRING'), field('number', 2, 'TYPE_INT32'), field('payload', 3, 'TYPE_BYTES')],
    },
  ],
  service: [
    { name: 'EchoService', method: [method('Get', { idempotencyLevel: 'NO_SIDE_EFFECTS' }), method('Change')] },
  ],
};

export const EchoService = createFileRegistry(fromJson(FileDescriptorSetSchema, { file: [file] })).getService(
  'echo.v1.EchoService',
) as DescService as GenService<{ get: Unary; change: Unary }>;

export type EchoHandlers = Handlers<typeof EchoService>;

/** Handlers that answer with what they were asked. */
export const echoHandlers = (own: Partial<EchoHandlers> = {}): EchoHandlers => ({
  get: async (_ctx, { text, number, payload }) => ({ text, number, payload }),
  change: async (_ctx, { text, number, payload }) => ({ text, number, payload }),
  ...own,
});
