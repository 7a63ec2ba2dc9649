import { filterErrors } from './errors.ts';

export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'sign'; readonly text: '==' | '!=' | '(' | ')' | '[' | ']'; readonly at: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number };

const SPACE = /[ \t\r\n]+/y;
/** Signs, and bare words: selectors and unquoted values. */
const SIGN = /==|!=|[()[\]]/y;
const WORD = /[^\s()[\]=!"`]+/y;
const RAW = /`[^`]*`/y;
const QUOTED = /"(?:[^"\\]|\\.)*"/sy;
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))/gs;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', '/': '/' };

/** @throws REGISTRY_FILTER_INVALID at what is no token */
export function tokenize(expression: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(expression)?.[0];
  };
  while (at < expression.length) {
    const space = take(SPACE);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const [token, length] = next(take, at);
    tokens.push(token);
    at += length;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

function next(take: (pattern: RegExp) => string | undefined, at: number): readonly [Token, number] {
  const sign = take(SIGN);
  if (sign !== undefined) return [{ kind: 'sign', text: sign as '==', at }, sign.length];
  const word = take(WORD);
  if (word !== undefined) return [{ kind: 'word', text: word, at }, word.length];
  const raw = take(RAW);
  if (raw !== undefined) return [{ kind: 'string', text: raw.slice(1, -1), at }, raw.length];
  const quoted = take(QUOTED);
  if (quoted === undefined) throw filterErrors.INVALID({ what: 'no operator, name or closed text', at });
  return [{ kind: 'string', text: resolveEscapes(quoted.slice(1, -1), at), at }, quoted.length];
}

const resolveEscapes = (text: string, at: number): string =>
  text.replace(ESCAPE, (whole, unicode?: string, byte?: string, character?: string) => {
    const hex = unicode ?? byte;
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    const plain = ESCAPES[character ?? ''];
    if (plain === undefined) throw filterErrors.INVALID({ what: `unknown escape ${whole}`, at });
    return plain;
  });
