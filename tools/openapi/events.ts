import type { DescField } from '@bufbuild/protobuf';
import { type Method, rulesOf } from './contracts.ts';
import { messageExample } from './example.ts';
import type { JsonObject } from './json.ts';
import { schemaName } from './schema.ts';

// How a stream of responses is served over REST: as server-sent events. The rules are those of @souk/rpc.

const ID_FIELDS = ['position', 'cursor', 'version'];

export const isStream = ({ desc }: Method): boolean => desc.methodKind === 'server_streaming';

/** Where a client says which event it has seen last, unless the contract binds a field to the header, which documents itself. */
export function lastEventId({ desc }: Method): JsonObject | undefined {
  const { fields } = desc.input;
  if (fields.some((field) => rulesOf(field)?.header === 'last-event-id')) return undefined;
  const named = (name: string): DescField | undefined => fields.find((field) => field.name === name);
  const field = named('last_event_id') ?? named('after');
  if (field === undefined) return undefined;
  return {
    name: 'Last-Event-ID',
    in: 'header',
    description: `Sent by clients that come back: the id of the last event that they have seen. It counts before \`${field.name}\`.`,
    schema: { type: 'string' },
  };
}

export function eventsResponse({ desc }: Method): JsonObject {
  const { output } = desc;
  const id = ID_FIELDS.map((name) => output.fields.find((field) => field.name === name)).find(Boolean);
  const about = [
    'Server-sent events, as they happen. The data of each is this message, as JSON in one line',
    ...(id === undefined ? [] : [`; its id is \`${id.jsonName}\``]),
    '. An event `error` carries a problem, and is the last. Comments keep the connection alive.',
  ];
  const data = JSON.stringify(messageExample(output, new Set()));
  return {
    description: about.join(''),
    content: {
      'text/event-stream': {
        schema: { $ref: `#/components/schemas/${schemaName(output)}` },
        example: `${id === undefined ? '' : 'id: 1\n'}data: ${data}\n\n`,
      },
    },
  };
}
