import type { Route } from './routes.ts';

/** The routes of one path, by method. */
export interface Endpoint {
  readonly path: string;
  readonly routes: ReadonlyMap<string, Route>;
  /** For the header `Allow`. */
  readonly allow: string;
}

export interface Found {
  readonly endpoint: Endpoint;
  /** The rest of the path, not decoded. */
  readonly rawParam: string;
}

export interface Router {
  find(path: string): Found | undefined;
}

export function createRouter(routes: readonly Route[]): Router {
  const exact = new Map<string, Endpoint>();
  /** By the path up to the parameter, with its last slash. */
  const prefixes = new Map<string, Endpoint>();
  for (const [path, group] of Map.groupBy(routes, (route) => route.path)) {
    const methods = ['OPTIONS', ...group.map(({ method }) => method)].sort();
    const byMethod = new Map<string, Route>(group.map((route) => [route.method, route]));
    const endpoint: Endpoint = { path, routes: byMethod, allow: methods.join(',') };
    const param = path.indexOf(':');
    if (param === -1) exact.set(path, endpoint);
    else prefixes.set(path.slice(0, param), endpoint);
  }
  return {
    find: (path) => {
      const endpoint = exact.get(path);
      if (endpoint !== undefined) return { endpoint, rawParam: '' };
      for (let slash = path.length - 1; slash > 0; slash -= 1) {
        slash = path.lastIndexOf('/', slash);
        const found = prefixes.get(path.slice(0, slash + 1));
        if (found !== undefined) return { endpoint: found, rawParam: path.slice(slash + 1) };
      }
      return undefined;
    },
  };
}
