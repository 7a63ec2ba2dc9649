// Blanks comments and the insides of strings, templates and regular expressions, so that a search sees code only. Length and line
// breaks stay, so an offset in the result is an offset in the source.

const identifierEnd = /[\w$)\]]/;
const beforeRegex = /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield|instanceof)$/;

/** Returns `source` with everything that is not code replaced by spaces; quotes and back-ticks stay. */
export const codeOnly = (source: string): string => scan(source).code;

/** A string or a whole template. */
export interface Literal {
  /** Where its inside begins in the source. */
  readonly from: number;
  /** Its inside as it is written, of the same length as in the source; expressions of a template are spaces. */
  readonly text: string;
}

/** The strings and templates of a module, in the order in which they end. */
export function literalsOf(source: string): Literal[] {
  const { text, literals } = scan(source);
  return literals.map(({ from, to }) => ({ from, text: text.slice(from, to) }));
}

interface Scanned {
  readonly code: string;
  readonly text: string;
  readonly literals: readonly { readonly from: number; readonly to: number }[];
}

function scan(source: string): Scanned {
  const out = source.split('');
  const inside = source.replace(/[^\n]/g, ' ').split('');
  /** Depths of `{` at which the templates around us go on with text. */
  const templates: number[] = [];
  /** Where the templates around us began. */
  const begun: number[] = [];
  const literals: { readonly from: number; readonly to: number }[] = [];
  let depth = 0;
  let at = 0;
  let code = ''; // the code just before `at`, as far back as a regular expression's predecessor matters

  const blank = (from: number, to: number, isText = false) => {
    for (let i = from; i < to; i += 1) {
      if (source[i] === '\n') continue;
      out[i] = ' ';
      if (isText) inside[i] = source[i] as string;
    }
  };
  const skipTemplateText = () => {
    const from = at;
    while (at < source.length && source[at] !== '`' && !(source[at] === '$' && source[at + 1] === '{')) {
      at += source[at] === '\\' ? 2 : 1;
    }
    blank(from, Math.min(at, source.length), true);
    if (source[at] === '`') {
      literals.push({ from: begun.pop() ?? from, to: at });
      at += 1;
      code = ')';
    } else if (at < source.length) {
      templates.push(depth);
      depth += 1;
      at += 2;
      code = '{';
    }
  };

  while (at < source.length) {
    const char = source[at] as string;
    const pair = source.slice(at, at + 2);
    if (pair === '//' || (at === 0 && pair === '#!')) {
      const end = source.indexOf('\n', at);
      blank(at, end === -1 ? source.length : end);
      at = end === -1 ? source.length : end;
    } else if (pair === '/*') {
      const end = source.indexOf('*/', at + 2);
      blank(at, end === -1 ? source.length : end + 2);
      at = end === -1 ? source.length : end + 2;
    } else if (char === '"' || char === "'") {
      const end = stringEnd(source, at, char);
      blank(at + 1, end, true);
      literals.push({ from: at + 1, to: end });
      at = end + 1;
      code = ')';
    } else if (char === '`') {
      at += 1;
      begun.push(at);
      skipTemplateText();
    } else if (char === '}' && templates.at(-1) === depth - 1) {
      templates.pop();
      depth -= 1;
      at += 1;
      skipTemplateText();
    } else if (char === '/' && startsRegex(code)) {
      const end = regexEnd(source, at);
      if (end === -1) {
        at += 1;
        code += char;
        continue;
      }
      blank(at + 1, end);
      at = end + 1;
      code = ')';
    } else {
      if (char === '{') depth += 1;
      if (char === '}') depth -= 1;
      code = (code + char).slice(-16);
      at += 1;
    }
  }
  return { code: out.join(''), text: inside.join(''), literals };
}

function stringEnd(source: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < source.length && source[at] !== quote && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
  return Math.min(at, source.length);
}

function startsRegex(code: string): boolean {
  const before = code.trimEnd();
  if (before === '') return true;
  if (beforeRegex.test(before)) return true;
  if (/[\w$)\]]!$/.test(before)) return false; // a non-null assertion
  if (/(\+\+|--)$/.test(before)) return false;
  return !identifierEnd.test(before.at(-1) as string);
}

/** The offset of the closing slash, or -1 when the line ends before it. */
function regexEnd(source: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < source.length && source[at] !== '\n'; at += 1) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === '[') inClass = true;
    else if (source[at] === ']') inClass = false;
    else if (source[at] === '/' && !inClass) return at;
  }
  return -1;
}

/** For each offset, how many brackets of any kind are open there; 0 is the top level of the module. */
export function depths(code: string): Uint16Array {
  const result = new Uint16Array(code.length);
  let depth = 0;
  for (let at = 0; at < code.length; at += 1) {
    const char = code[at] as string;
    if (')]}'.includes(char)) depth = Math.max(0, depth - 1);
    result[at] = depth;
    if ('([{'.includes(char)) depth += 1;
  }
  return result;
}
