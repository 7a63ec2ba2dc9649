/** A text that is prepared once per connection. */
export interface Statement {
  readonly text: string;
  /** Under which name it is prepared; undefined once there are too many texts. */
  readonly name: string | undefined;
  /** For metrics and spans: the comment at the start of the text, or its first word. */
  readonly operation: string;
}

/** More texts than this are not constants: they run unprepared, so that neither side keeps them. */
const MOST = 1000;

const LABELLED = /^\s*\/\*\s*([\w.-]{1,60})\s*\*\//;
const VERB = /^\s*(?:--[^\n]*\n\s*)*([a-z]+)/i;

/** @param onFull Called once, when the texts are too many. */
export function createStatements(onFull: () => void): { of(text: string): Statement } {
  const known = new Map<string, Statement>();
  let full = false;
  return {
    of: (text) => {
      const found = known.get(text);
      if (found !== undefined) return found;
      const fits = known.size < MOST;
      const statement = { text, name: fits ? `s${known.size}` : undefined, operation: operationOf(text) };
      if (fits) known.set(text, statement);
      else if (!full) {
        full = true;
        onFull();
      }
      return statement;
    },
  };
}

const operationOf = (text: string): string =>
  LABELLED.exec(text)?.[1] ?? VERB.exec(text)?.[1]?.toUpperCase() ?? 'OTHER';
