import { readFileSync } from 'node:fs';
import { createFileRegistry, type DescMessage, type DescService, fromBinary, type Message } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

// Compiled from proto/rules/v1/rules.proto. After a change of it, from the root:
//   buf build --config platform/schema/test/buf.yaml --path platform/schema/test/proto/rules --exclude-source-info \
//     --as-file-descriptor-set -o platform/schema/test/rules.binpb
const bytes = readFileSync(new URL('./rules.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));

export const messageNamed = (name: string): DescMessage => registry.getMessage(`rules.v1.${name}`) as DescMessage;
export const rulesService = registry.getService('rules.v1.RulesService') as DescService;

export type Init = Record<string, unknown>;
export type AnyMessage = Message & Init;
