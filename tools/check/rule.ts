// What a rule of the repository is: a name and a function from the tree to what is wrong in it.

import type { Tree } from './tree.ts';

export interface Violation {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  /** From 1; 0 where it is about the file as a whole. */
  readonly line: number;
  /** What is wrong, and what to do. */
  readonly message: string;
}

export interface Rule {
  readonly name: string;
  readonly run: (tree: Tree) => readonly Violation[] | Promise<readonly Violation[]>;
}

/** The line that holds the offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}
