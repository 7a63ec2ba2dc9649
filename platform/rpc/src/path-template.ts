import { rpcErrors } from './errors.ts';

/** A part of a path between slashes: given, any one, or all that are left. */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'one'; readonly field: string | undefined }
  | { readonly kind: 'rest'; readonly field: string | undefined };

const LITERAL = /^[A-Za-z0-9._~@!$&'()+,;=:-]+$/;
const VARIABLE = /^\{([a-z][A-Za-z0-9_]*(?:\.[a-z][A-Za-z0-9_]*)*)(?:=(\*\*?))?\}$/;

/**
 * Parses the templates of google.api.http: literals, `*`, `**` at the end, `{field}`, `{field.part}`, `{field=*}`, `{field=**}`.
 * @throws RPC_BAD_ROUTE for anything else
 */
export function parsePathTemplate(path: string, method: string): readonly Segment[] {
  const refuse = (why: string) => rpcErrors.BAD_ROUTE({ method, path, why });
  if (!path.startsWith('/')) throw refuse('it must begin with a slash');
  const segments = path
    .slice(1)
    .split('/')
    .map((part): Segment => {
      if (part === '*') return { kind: 'one', field: undefined };
      if (part === '**') return { kind: 'rest', field: undefined };
      if (LITERAL.test(part)) return { kind: 'literal', text: part };
      const match = VARIABLE.exec(part);
      if (match === null) throw refuse(`${part} is not a segment`);
      return { kind: match[2] === '**' ? 'rest' : 'one', field: match[1] };
    });
  const rest = segments.findIndex((segment) => segment.kind === 'rest');
  if (rest !== -1 && rest !== segments.length - 1) throw refuse('only the last segment may match many');
  return segments;
}
