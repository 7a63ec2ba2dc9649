import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import { pageTokenErrors } from './errors.ts';

/** Any JSON value; keep it small: a token is sent with every page. */
export type PagePosition =
  | string
  | number
  | boolean
  | null
  | readonly PagePosition[]
  | { readonly [key: string]: PagePosition };

/** Opaque tokens that say where a page of a list ends. A client can neither change one nor use it for another list. */
export interface PageTokens {
  /** @param filter All that makes the list what it is: its name, filters, order, and whose it is. */
  seal(position: PagePosition, filter: unknown): string;
  /** @throws PAGE_TOKEN_INVALID when the token was changed, or made for another filter or under another secret */
  open<T extends PagePosition>(token: string, filter: unknown): T;
}

const MAC_BYTES = 16;
const LONGEST_TOKEN = 2048;
const VERSION = 1;

/** @param secret The same in every process that serves the list. Positions are signed, not encrypted: put no secrets into them. */
export function createPageTokens(secret: string): PageTokens {
  // A key of its own, so that the same secret can serve other ends.
  const key = createHmac('sha256', secret).update('souk page token v1').digest();
  const mac = (body: Uint8Array, filter: unknown): Buffer => {
    const filterHash = createHash('sha256').update(canonicalJson(filter)).digest();
    return createHmac('sha256', key).update(filterHash).update(body).digest().subarray(0, MAC_BYTES);
  };
  return {
    seal: (position, filter) => {
      const body = Buffer.from(JSON.stringify([VERSION, position]));
      return Buffer.concat([mac(body, filter), body]).toString('base64url');
    },
    open: <T extends PagePosition>(token: string, filter: unknown): T => {
      if (token.length > LONGEST_TOKEN) throw pageTokenErrors.INVALID();
      const bytes = Buffer.from(token, 'base64url');
      const body = bytes.subarray(MAC_BYTES);
      // Other spellings of the same bytes are refused: one position has one token.
      if (body.length === 0 || bytes.toString('base64url') !== token) throw pageTokenErrors.INVALID();
      if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), mac(body, filter))) throw pageTokenErrors.INVALID();
      return (JSON.parse(body.toString('utf8')) as [number, T])[1];
    },
  };
}
