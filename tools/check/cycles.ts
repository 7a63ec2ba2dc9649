// No circles: not between files (type-only imports are gone at run time and do not count), not between packages.

import { posix } from 'node:path';
import { lineAt, type Rule, type Violation } from './rule.ts';
import { isRelative, type Module, packageOf, type Tree } from './tree.ts';

interface Edge {
  readonly to: string;
  readonly module: Module;
  readonly offset: number;
}
type Graph = ReadonlyMap<string, readonly Edge[]>;

export const cycles: Rule = {
  name: 'cycles',
  run: (tree) => [
    ...circles(fileGraph(tree)).map((circle) =>
      describe(circle, 'files', 'move what both need into a third file, or import only the type'),
    ),
    ...circles(packageGraph(tree)).map((circle) => describe(circle, 'packages', 'move what both need to a lower rank')),
  ],
};

function fileGraph(tree: Tree): Graph {
  return new Map(
    tree.modules.map((module) => [
      module.path,
      module.imports
        .filter(({ kind, specifier }) => kind === 'value' && isRelative(specifier))
        .map(({ specifier, offset }) => ({ to: posix.join(posix.dirname(module.path), specifier), module, offset })),
    ]),
  );
}

function packageGraph(tree: Tree): Graph {
  const graph = new Map<string, Edge[]>(tree.packages.map(({ manifest }) => [manifest.name, []]));
  for (const module of tree.modules.filter(({ isTest }) => !isTest)) {
    const from = module.owner?.manifest.name;
    for (const { specifier, offset } of module.imports) {
      const to = packageOf(specifier);
      if (from !== undefined && from !== to && tree.find(to) !== undefined)
        graph.get(from)?.push({ to, module, offset });
    }
  }
  return graph;
}

/** Each circle once, as its edges; depth first, so a circle is found at the edge that closes it. */
function circles(graph: Graph): Edge[][] {
  const found: Edge[][] = [];
  const done = new Set<string>();
  const trail: Edge[] = [];
  const visit = (node: string, path: readonly string[]): void => {
    if (done.has(node)) return;
    for (const edge of graph.get(node) ?? []) {
      const start = [...path, node].indexOf(edge.to);
      trail.push(edge);
      if (start !== -1) found.push(trail.slice(start));
      else visit(edge.to, [...path, node]);
      trail.pop();
    }
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}

function describe(circle: readonly Edge[], what: string, remedy: string): Violation {
  const last = circle.at(-1) as Edge;
  const names = [last.to, ...circle.map(({ to }) => to)];
  const message = `${what} import each other in a circle: ${names.join(' -> ')}; ${remedy}`;
  return { path: last.module.path, line: lineAt(last.module.source, last.offset), message };
}
