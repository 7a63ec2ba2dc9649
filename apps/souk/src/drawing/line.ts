import type { Paint } from './palette.ts';

/** Part of a line: a text, or a text and its colour. */
export type Piece = string | readonly [text: string, paint: Paint];

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g;

/** What came from elsewhere may not steer the terminal, nor break the line. */
export const printable = (text: string): string => text.replace(CONTROLS, ' ');

/** One line of at most `width` characters; what does not fit is cut and ends in an ellipsis. */
export function fit(pieces: readonly Piece[], width: number): string {
  let left = width;
  let line = '';
  const lengths = pieces.map((piece) => [...textOf(piece)].length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  for (const [index, piece] of pieces.entries()) {
    const letters = [...textOf(piece)];
    const isLast = total > width && letters.length >= left && (lengths[index] as number) > 0;
    const text = isLast ? `${letters.slice(0, Math.max(0, left - 1)).join('')}…` : letters.join('');
    line += typeof piece === 'string' ? text : piece[1](text);
    if (isLast) break;
    left -= letters.length;
  }
  return line.trimEnd();
}

const textOf = (piece: Piece): string => printable(typeof piece === 'string' ? piece : piece[0]);
