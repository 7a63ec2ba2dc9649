// The repository speaks of itself alone: no paths of a machine it was written on.

import { lineAt, type Rule } from './rule.ts';

// In pieces, so that this file does not break its own rule.
const forbidden = ['/work' + '/', '/tmp/' + 'brief', 'farm' + '-'];
const binary = /\.(png|jpe?g|gif|ico|webp|woff2?|binpb|gz|zip|pdf)$/;

export const speech: Rule = {
  name: 'speech',
  run: (tree) =>
    tree.files
      .filter((path) => !binary.test(path))
      .flatMap((path) => {
        const text = tree.read(path);
        return forbidden.flatMap((word) => {
          const at = new RegExp(`(?<![\\w.-])${word}`).exec(text)?.index ?? -1;
          return at === -1
            ? []
            : [
                {
                  path,
                  line: lineAt(text, at),
                  message: `says ${word}: a path or name of one machine tells the reader nothing`,
                },
              ];
        });
      }),
};
