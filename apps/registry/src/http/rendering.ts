import type { Reply } from './routes.ts';

/** An answer as it goes over the wire. */
export interface Rendered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const JSON_TYPE = 'application/json';
const NOTHING = Buffer.alloc(0);

export function render(reply: Reply, pretty: boolean): Rendered {
  const { status = 200, headers = {} } = reply;
  const [type, body] = encode(reply, pretty);
  return {
    status,
    headers: { ...(type === undefined ? {} : { 'content-type': type }), ...headers },
    body,
  };
}

function encode(reply: Reply, pretty: boolean): readonly [type: string | undefined, body: Uint8Array] {
  if (reply.bytes !== undefined) return ['application/octet-stream', reply.bytes];
  if (reply.text !== undefined) {
    const isJson = reply.headers?.['content-type'] === JSON_TYPE;
    if (isJson && pretty) return [JSON_TYPE, layOut(JSON.parse(reply.text))];
    return ['text/plain; charset=utf-8', Buffer.from(reply.text)];
  }
  if (reply.json === undefined) return [undefined, NOTHING];
  return [JSON_TYPE, pretty ? layOut(reply.json) : Buffer.from(JSON.stringify(reply.json))];
}

const layOut = (json: unknown): Buffer => Buffer.from(`${JSON.stringify(json, null, 4)}\n`);

/** JSON that is text already. */
export const jsonText = (text: string): Reply => ({ text, headers: { 'content-type': JSON_TYPE } });
