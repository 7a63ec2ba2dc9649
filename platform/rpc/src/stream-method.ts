import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type Message,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import { deferred, mapped, only } from './async-iterables.ts';
import { rpcErrors } from './errors.ts';
import type { StreamNext } from './interceptor.ts';
import type { AnyStreamHandler, ServedMethod } from './routed-method.ts';

/** Calls the handler of a streaming method in the way of its kind, and makes messages of what it answers. */
export function streamHandler(
  desc: DescMethodStreaming,
  name: string,
  handler: AnyStreamHandler,
  validateResponse: ServedMethod['validateResponse'],
): StreamNext {
  const toMessage = (answer: object): Message => {
    const response = create(desc.output, answer as MessageInitShape<DescMessage>);
    const violations = validateResponse?.(response) ?? [];
    if (violations.length > 0) throw rpcErrors.BAD_RESPONSE({ method: name }, { violations });
    return response;
  };
  const answers: Record<DescMethodStreaming['methodKind'], (call: Parameters<StreamNext>[0]) => AsyncIterable<object>> =
    {
      server_streaming: ({ ctx, requests }) =>
        deferred(async () => handler(ctx, await onlyOne(name, requests)) as AsyncIterable<object>),
      client_streaming: ({ ctx, requests }) => deferred(async () => only(handler(ctx, requests) as Promise<object>)),
      bidi_streaming: ({ ctx, requests }) => deferred(async () => handler(ctx, requests) as AsyncIterable<object>),
    };
  const answer = answers[desc.methodKind];
  return (call) => mapped(answer(call), toMessage);
}

/** The one message of a stream that has one. @throws RPC_ONE_MESSAGE */
export async function onlyOne<T>(method: string, messages: AsyncIterable<T>): Promise<T> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) throw rpcErrors.ONE_MESSAGE({ method, found: 'none' });
  const second = await iterator.next();
  if (second.done !== true) throw rpcErrors.ONE_MESSAGE({ method, found: 'more' });
  return first.value;
}
