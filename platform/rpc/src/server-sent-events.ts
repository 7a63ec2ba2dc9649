import { type DescField, type DescMessage, type DescOneof, type Message, ScalarType } from '@bufbuild/protobuf';
import { fromUnknown, type Runtime, type SoukError } from '@souk/kernel';
import type { HttpCall, HttpReply } from './http-call.ts';
import { problemReply } from './problem.ts';

/** What the fields of a stream's messages mean to a client of server-sent events. */
export interface EventFields {
  /** Its value is the event's `id`. */
  readonly id: DescField | undefined;
  /** The field of it that is set names the event. */
  readonly name: DescOneof | undefined;
}

const ID_FIELDS = ['position', 'cursor', 'version'];
const RETRY_MS = 2000;
const KEEP_ALIVE_MS = 15_000;
/** How long a client waits for the head while the handler says nothing: an error that comes sooner has a status of its own. */
const FIRST_WORD_MS = 1000;

/** Ends that tell the client to come back with its `Last-Event-ID` rather than that something went wrong. */
const COME_BACK: ReadonlySet<string> = new Set(['RPC_DRAINING', 'RPC_STREAM_IDLE', 'SOUK_DEADLINE_EXCEEDED']);

/** `id` is the first of `position`, `cursor` and `version` that the message has as a text or a number; a oneof `event` names the event. */
export function eventFields(message: DescMessage): EventFields {
  const fields = ID_FIELDS.map((name) => message.fields.find((field) => field.name === name));
  return { id: fields.find(isTextOrNumber), name: message.oneofs.find((oneof) => oneof.name === 'event') };
}

export const isTextOrNumber = (field: DescField | undefined): boolean =>
  field?.fieldKind === 'scalar' && ![ScalarType.BYTES, ScalarType.BOOL].includes(field.scalar);

/**
 * Serves the messages of a stream as server-sent events. An error before the first event is a reply of its own.
 * @param toJson One message as JSON in one line.
 * @throws SoukError
 */
export async function eventStream(
  runtime: Runtime,
  call: HttpCall,
  messages: AsyncIterator<Message>,
  fields: EventFields,
  toJson: (message: Message) => string,
): Promise<HttpReply> {
  const first = settled(messages.next());
  const early = await resultOrQuiet(runtime, first, FIRST_WORD_MS);
  if (early.kind === 'failed') throw early.error;
  const toText = (message: Message): string => eventText(message, fields, toJson(message));
  return { ...EVENT_STREAM, body: pieces(runtime, call, messages, first, toText) };
}

/** The head of a stream of events. */
export const EVENT_STREAM: HttpReply = {
  status: 200,
  headers: {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies that gather a reply before they hand it on must not gather this one.
    'x-accel-buffering': 'no',
  },
};

type Step =
  | { readonly kind: 'result'; readonly result: IteratorResult<Message> }
  | { readonly kind: 'failed'; readonly error: SoukError }
  | { readonly kind: 'quiet' };

const settled = (next: Promise<IteratorResult<Message>>): Promise<Step> =>
  next.then(
    (result): Step => ({ kind: 'result', result }),
    (thrown): Step => ({ kind: 'failed', error: fromUnknown(thrown) }),
  );

const QUIET: Step = { kind: 'quiet' };

async function* pieces(
  runtime: Runtime,
  call: HttpCall,
  messages: AsyncIterator<Message>,
  first: Promise<Step>,
  toText: (message: Message) => string,
): AsyncGenerator<string> {
  let pending = first;
  try {
    yield `retry: ${RETRY_MS}\n\n`;
    for (;;) {
      const step = await resultOrQuiet(runtime, pending, KEEP_ALIVE_MS);
      if (step.kind === 'quiet') yield ': keep-alive\n\n';
      else if (step.kind === 'failed') {
        if (!COME_BACK.has(step.error.reason)) yield errorText(step.error, call);
        return;
      } else if (step.result.done === true) return;
      else {
        yield toText(step.result.value);
        pending = settled(messages.next());
      }
    }
  } finally {
    await messages.return?.();
  }
}

async function resultOrQuiet({ timers }: Runtime, pending: Promise<Step>, ms: number): Promise<Step> {
  let onQuiet: (step: Step) => void = () => {};
  const quiet = new Promise<Step>((resolve) => {
    onQuiet = resolve;
  });
  const timer = timers.after(ms, () => onQuiet(QUIET));
  const step = await Promise.race([pending, quiet]);
  timer.cancel();
  return step;
}

function eventText(message: Message, { id, name }: EventFields, json: string): string {
  const values = message as unknown as Record<string, unknown>;
  const chosen = name && (values[name.localName] as { case: string | undefined }).case;
  const lines = chosen === undefined ? '' : `event: ${chosen}\n`;
  const idLine = id === undefined ? '' : `id: ${String(values[id.localName]).replace(/[\r\n\0]/g, '')}\n`;
  return `${lines}${idLine}data: ${json}\n\n`;
}

const errorText = (error: SoukError, call: HttpCall): string =>
  `event: error\ndata: ${problemReply(error, call).body as string}\n\n`;
