import { readFileSync } from 'node:fs';
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  fromBinary,
  type Message,
} from '@bufbuild/protobuf';
import type { GenMessage, GenService } from '@bufbuild/protobuf/codegenv2';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Handlers } from '../src/index.ts';

// Compiled from proto/watch/v1/watch.proto. After a change of it, from the root:
//   buf build --config platform/rpc/test/buf.yaml --path platform/rpc/test/proto/watch --exclude-source-info \
//     --as-file-descriptor-set -o platform/rpc/test/watch.binpb
const bytes = readFileSync(new URL('./watch.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));

export type Update = Message<'watch.v1.Update'> & { position: bigint; text: string };
type WatchRequest = Message<'watch.v1.WatchRequest'> & { id: string; after: bigint; userId: string };
type Gone = Message<'watch.v1.Change.Gone'>;
type Change = Message<'watch.v1.Change'> & {
  cursor: string;
  event: { case: 'came'; value: Update } | { case: 'wentAway'; value: Gone } | { case: undefined; value?: undefined };
};
export type Item = Message<'watch.v1.Item'> & { name: string };
type Summary = Message<'watch.v1.Summary'> & { count: number; names: string[] };

type Method<TKind extends string, TInput extends Message, TOutput extends Message> = {
  methodKind: TKind;
  input: GenMessage<TInput>;
  output: GenMessage<TOutput>;
};

export const WatchService = registry.getService('watch.v1.WatchService') as DescService as GenService<{
  get: Method<'unary', WatchRequest, Update>;
  watch: Method<'server_streaming', WatchRequest, Update>;
  collect: Method<'client_streaming', Item, Summary>;
  talk: Method<'bidi_streaming', Item, Update>;
  brief: Method<'server_streaming', WatchRequest, Change>;
  hidden: Method<'server_streaming', WatchRequest, Update>;
}>;

export const ChangeSchema = registry.getMessage('watch.v1.Change') as DescMessage as GenMessage<Change>;
export const ItemSchema = registry.getMessage('watch.v1.Item') as DescMessage as GenMessage<Item>;

export type WatchHandlers = Handlers<typeof WatchService>;

/** Handlers that answer with what they were asked; a test replaces those it is about. */
export const watchHandlers = (own: Partial<WatchHandlers> = {}): WatchHandlers => ({
  get: async (_ctx, { id }) => ({ text: id }),
  watch: async function* (_ctx, { id, after }) {
    for (let position = after + 1n; position <= after + 3n; position++) yield { position, text: id };
  },
  collect: async (_ctx, items) => {
    const names: string[] = [];
    for await (const { name } of items) names.push(name);
    return { count: names.length, names };
  },
  talk: async function* (_ctx, items) {
    let position = 0n;
    for await (const { name } of items) yield { position: ++position, text: name };
  },
  brief: async function* (_ctx, { id }) {
    yield create(ChangeSchema, { cursor: 'a', event: { case: 'came', value: { text: id } } });
    yield create(ChangeSchema, { cursor: 'b', event: { case: 'wentAway', value: {} } });
  },
  hidden: async function* () {},
  ...own,
});
