import { filterErrors } from './errors.ts';

/** Longest regular expression, in characters, and most instructions it may become: `(a{100}){100}` is refused. */
const MAX_PATTERN = 256;
const MAX_INSTRUCTIONS = 500;
const MAX_REPEAT = 100;
const MAX_DEPTH = 50;

type Accepts = (code: number) => boolean;

type Node =
  | { readonly kind: 'one'; readonly accepts: Accepts }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly of: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number };

type Instruction =
  | { readonly kind: 'one'; readonly accepts: Accepts }
  | { readonly kind: 'start' | 'end' | 'found' }
  | { readonly kind: 'jump'; to: readonly number[] };

/**
 * A regular expression that cannot run away: it is simulated state by state, so that the time is at most the length of the text times the
 * length of the expression, whatever it says. Literals, `.`, classes with `[^a-z]` `\d \w \s \D \W \S`, `^ $`, groups, `|`, `* + ?` and `{2,5}`
 * (lazy forms find the same). No back references and no looking around. Finds a match anywhere in the text; case matters.
 *
 * @param at Where it stands in the expression, for the error.
 * @throws REGISTRY_FILTER_INVALID
 */
export function compilePattern(source: string, at: number): (text: string) => boolean {
  const fail = (what: string): never => {
    throw filterErrors.INVALID({ what: `regular expression: ${what}`, at });
  };
  if (source.length > MAX_PATTERN) fail(`more than ${MAX_PATTERN} characters`);
  const program: Instruction[] = [];
  emit(parsePattern(source, fail), program, fail);
  program.push({ kind: 'found' });
  return (text) => run(program, text);
}

function parsePattern(source: string, fail: (what: string) => never): Node {
  const characters = [...source];
  let position = 0;
  let depth = 0;
  const peek = (): string | undefined => characters[position];
  const take = (): string => characters[position++] ?? fail('it ends too early');
  const skip = (text: string): boolean => {
    if (peek() !== text) return false;
    position += 1;
    return true;
  };

  const choice = (): Node => {
    depth += 1;
    if (depth > MAX_DEPTH) fail('nested too deep');
    const of = [sequence()];
    while (skip('|')) of.push(sequence());
    depth -= 1;
    return of.length === 1 ? (of[0] as Node) : { kind: 'choice', of };
  };
  const sequence = (): Node => {
    const of: Node[] = [];
    while (peek() !== undefined && peek() !== '|' && peek() !== ')') of.push(repeated(atom()));
    return { kind: 'sequence', of };
  };
  const repeated = (of: Node): Node => {
    const range = repeat();
    if (range === undefined) return of;
    skip('?');
    if (repeat() !== undefined) fail('nothing to repeat');
    return { kind: 'repeat', of, ...range };
  };
  const repeat = (): { min: number; max: number } | undefined => {
    if (skip('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (skip('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (skip('?')) return { min: 0, max: 1 };
    if (peek() !== '{') return undefined;
    const found = /^\{(\d{1,3})(,(\d{1,3})?)?\}/.exec(characters.slice(position, position + 9).join(''));
    if (found === null) return fail('want {2}, {2,} or {2,5}; write \\{ for a brace');
    position += found[0].length;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === undefined ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (max < min || min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY))
      fail(`a repeat is at most ${MAX_REPEAT}, its end not below its start`);
    return { min, max };
  };
  const atom = (): Node => {
    const character = take();
    switch (character) {
      case '(': {
        if (skip('?') && !skip(':')) fail('no group of this kind: want ( or (?:');
        const of = choice();
        if (!skip(')')) fail('want )');
        return of;
      }
      case '[':
        return { kind: 'one', accepts: characterClass() };
      case '.':
        return { kind: 'one', accepts: (code) => code !== 10 };
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '*':
      case '+':
      case '?':
      case '{':
        return fail('nothing to repeat');
      case '\\':
        return { kind: 'one', accepts: escaped() };
      default:
        return { kind: 'one', accepts: only(character) };
    }
  };
  const escaped = (): Accepts => {
    const character = take();
    const named = CLASSES[character];
    if (named !== undefined) return named;
    const control = CONTROLS[character];
    if (control !== undefined) return only(control);
    return /[A-Za-z0-9]/.test(character) ? fail(`no escape \\${character}`) : only(character);
  };
  const characterClass = (): Accepts => {
    const negate = skip('^');
    const parts: Accepts[] = [];
    for (let first = true; first || peek() !== ']'; first = false) {
      const start = take();
      if (start === '\\') {
        parts.push(escaped());
        continue;
      }
      if (peek() === '-' && characters[position + 1] !== ']' && characters[position + 1] !== undefined) {
        position += 1;
        const end = take();
        if (end === '\\' || end < start) fail('a range goes from the lower to the higher character');
        parts.push(between(start, end));
      } else {
        parts.push(only(start));
      }
    }
    position += 1;
    return negate ? (code) => !parts.some((part) => part(code)) : (code) => parts.some((part) => part(code));
  };

  const found = choice();
  if (peek() !== undefined) fail('a ) too many');
  return found;
}

const only = (character: string): Accepts => {
  const wanted = character.codePointAt(0);
  return (code) => code === wanted;
};
const between = (start: string, end: string): Accepts => {
  const [from, to] = [start.codePointAt(0) as number, end.codePointAt(0) as number];
  return (code) => code >= from && code <= to;
};
const none =
  (accepts: Accepts): Accepts =>
  (code) =>
    !accepts(code);
const digit = between('0', '9');
const word: Accepts = (code) => digit(code) || code === 95 || between('a', 'z')(code) || between('A', 'Z')(code);
const space: Accepts = (code) => code === 32 || (code >= 9 && code <= 13);
const CLASSES: Readonly<Record<string, Accepts>> = {
  d: digit,
  D: none(digit),
  w: word,
  W: none(word),
  s: space,
  S: none(space),
};
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v' };

function emit(node: Node, program: Instruction[], fail: (what: string) => never): void {
  if (program.length > MAX_INSTRUCTIONS) fail('too large when its repeats are written out');
  switch (node.kind) {
    case 'one':
      program.push({ kind: 'one', accepts: node.accepts });
      return;
    case 'start':
    case 'end':
      program.push({ kind: node.kind });
      return;
    case 'sequence':
      for (const part of node.of) emit(part, program, fail);
      return;
    case 'choice': {
      const split: Instruction & { kind: 'jump' } = { kind: 'jump', to: [] };
      program.push(split);
      const starts: number[] = [];
      const ends: (Instruction & { kind: 'jump' })[] = [];
      for (const part of node.of) {
        starts.push(program.length);
        emit(part, program, fail);
        const end: Instruction & { kind: 'jump' } = { kind: 'jump', to: [] };
        program.push(end);
        ends.push(end);
      }
      split.to = starts;
      for (const end of ends) end.to = [program.length];
      return;
    }
    case 'repeat': {
      for (let count = 0; count < node.min; count += 1) emit(node.of, program, fail);
      if (node.max === Number.POSITIVE_INFINITY) {
        const split: Instruction & { kind: 'jump' } = { kind: 'jump', to: [] };
        const start = program.push(split) - 1;
        emit(node.of, program, fail);
        program.push({ kind: 'jump', to: [start] });
        split.to = [start + 1, program.length];
        return;
      }
      const splits: (Instruction & { kind: 'jump' })[] = [];
      for (let count = node.min; count < node.max; count += 1) {
        const split: Instruction & { kind: 'jump' } = { kind: 'jump', to: [program.length + 1] };
        splits.push(split);
        program.push(split);
        emit(node.of, program, fail);
      }
      for (const split of splits) split.to = [...split.to, program.length];
      return;
    }
  }
}

/** All states at once (Thompson 1968): each instruction is entered at most once per character. */
function run(program: readonly Instruction[], text: string): boolean {
  let current: number[] = [];
  const entered = new Uint32Array(program.length);
  let round = 0;
  let found = false;

  const enter = (start: number, into: number[], atStart: boolean, atEnd: boolean): void => {
    const open = [start];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (entered[at] === round) continue;
      entered[at] = round;
      const instruction = program[at] as Instruction;
      if (instruction.kind === 'jump') open.push(...instruction.to);
      else if (instruction.kind === 'one') into.push(at);
      else if (instruction.kind === 'found') found = true;
      else if (instruction.kind === 'start' ? atStart : atEnd) open.push(at + 1);
    }
  };

  const characters = [...text];
  for (let position = 0; position <= characters.length; position += 1) {
    const [atStart, atEnd] = [position === 0, position === characters.length];
    if (position === 0) {
      round += 1;
      enter(0, current, atStart, atEnd);
    }
    if (found || atEnd) return found;
    const code = (characters[position] as string).codePointAt(0) as number;
    const next: number[] = [];
    round += 1;
    const last = position + 1 === characters.length;
    for (const at of current) {
      const instruction = program[at] as Instruction;
      if (instruction.kind === 'one' && instruction.accepts(code)) enter(at + 1, next, false, last);
    }
    // A match may begin behind any character.
    enter(0, next, false, last);
    current = next;
  }
  return found;
}
