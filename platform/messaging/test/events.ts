import { readFileSync } from 'node:fs';
import { createFileRegistry, type DescMessage, fromBinary, type Message } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

// Compiled from proto/bazaar/v1/events.proto. After a change of it, from the root:
//   buf build --config platform/messaging/test/buf.yaml --path platform/messaging/test/proto/bazaar --exclude-source-info \
//     --as-file-descriptor-set -o platform/messaging/test/events.binpb
const bytes = readFileSync(new URL('./events.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
const message = (name: string): DescMessage => registry.getMessage(`bazaar.v1.${name}`) as DescMessage;

export type Counted = Message<'bazaar.v1.Counted'> & { key: string; number: number };
export type Closed = Message<'bazaar.v1.Closed'> & { key: string; number: number };

export const CountedSchema = message('Counted') as GenMessage<Counted>;
export const ClosedSchema = message('Closed') as GenMessage<Closed>;
