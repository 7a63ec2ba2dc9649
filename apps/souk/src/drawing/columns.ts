import { fit, type Piece, printable } from './line.ts';
import type { Paint, Palette } from './palette.ts';

/** A cell: a text, or a text and its colour. */
export type Cell = string | readonly [text: string, paint: Paint];

/** Rows under a heading, in columns as wide as they must be; the last one takes what is left of the width. */
export function columns(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  { width, palette }: { readonly width: number; readonly palette: Palette },
): string[] {
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...rows.map((row) => [...textOf(row[at] ?? '')].length)),
  );
  const line = (cells: readonly Cell[]): string =>
    fit(
      cells.flatMap((cell, at): Piece[] => {
        const text = textOf(cell);
        const gap = at === cells.length - 1 ? '' : ' '.repeat((widths[at] ?? 0) - [...text].length + 2);
        return [typeof cell === 'string' ? text : [text, cell[1]], gap];
      }),
      width,
    );
  return [line(headings.map((heading) => [heading, palette.dim] as const)), ...rows.map(line)];
}

const textOf = (cell: Cell): string => printable(typeof cell === 'string' ? cell : cell[0]);
