import { readFileSync } from 'node:fs';
import { createFileRegistry, type DescMessage, type DescService, fromBinary, type Message } from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

// Compiled from proto/corner/v1/corner.proto. After a change of it, from the root:
//   buf build --config tests/support/corner/buf.yaml --path tests/support/corner/proto/corner --exclude-source-info \
//     --as-file-descriptor-set -o tests/support/corner/corner.binpb
const bytes = readFileSync(new URL('./corner.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
const service = (name: string): DescService => registry.getService(`corner.v1.${name}`) as DescService;
const message = (name: string): DescMessage => registry.getMessage(`corner.v1.${name}`) as DescMessage;

type IncreaseRequest = Message<'corner.v1.IncreaseRequest'> & { name: string; by: number };
type GetCountRequest = Message<'corner.v1.GetCountRequest'> & { name: string };
type Count = Message<'corner.v1.Count'> & { name: string; value: number };
type TellRequest = Message<'corner.v1.TellRequest'> & { name: string };
type Told = Message<'corner.v1.Told'> & { text: string };
type Increased = Message<'corner.v1.Increased'> & { name: string; value: number };

type Unary<TInput extends Message, TOutput extends Message> = {
  methodKind: 'unary';
  input: GenMessage<TInput>;
  output: GenMessage<TOutput>;
};

export const CounterService = service('CounterService') as GenService<{
  increase: Unary<IncreaseRequest, Count>;
  getCount: Unary<GetCountRequest, Count>;
}>;

export const TellerService = service('TellerService') as GenService<{ tell: Unary<TellRequest, Told> }>;

export const IncreasedSchema = message('Increased') as GenMessage<Increased>;
