import { postgresErrors } from './errors.ts';

/** Where a database is and who signs in. */
export interface PostgresAddress {
  /** A host name, an address, or the folder of a Unix socket when it begins with `/`. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string | undefined;
  readonly database: string;
  /** @default no TLS */
  readonly tls?: 'verify' | 'no-verify' | undefined;
}

/**
 * Reads `postgres://user:password@host:port/database?sslmode=require`; a socket is `?host=/folder`.
 *
 * @param setting Where the URL came from, for the error.
 * @throws POSTGRES_URL_INVALID, which does not repeat the URL
 */
export function parseAddress(url: string, setting = 'DATABASE_URL'): PostgresAddress {
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol)) throw postgresErrors.URL_INVALID({ setting });
  const query = parsed.searchParams;
  const user = text(parsed.username) || query.get('user') || 'postgres';
  const host =
    query.get('host') ?? (parsed.hostname === '' ? 'localhost' : text(parsed.hostname.replace(/^\[|\]$/g, '')));
  const password = text(parsed.password) || (query.get('password') ?? undefined);
  const database = text(parsed.pathname.slice(1)) || user;
  const port = Number(parsed.port || query.get('port') || 5432);
  return { host, port, user, password, database, tls: tlsOf(query.get('sslmode'), setting) };

  function text(part: string): string {
    try {
      return decodeURIComponent(part);
    } catch {
      throw postgresErrors.URL_INVALID({ setting });
    }
  }
}

function tlsOf(mode: string | null, setting: string): PostgresAddress['tls'] {
  switch (mode) {
    case null:
    case 'disable':
    case 'allow':
    case 'prefer':
      return undefined;
    case 'require':
    case 'no-verify':
      return 'no-verify';
    case 'verify-ca':
    case 'verify-full':
      return 'verify';
    default:
      throw postgresErrors.URL_INVALID({ setting });
  }
}

/** The address as a URL, for another process. Holds the password. */
export function toUrl(address: PostgresAddress): string {
  const { user, password, database, port, host, tls } = address;
  const part = encodeURIComponent;
  const secret = password === undefined ? '' : `:${part(password)}`;
  const query = new URLSearchParams();
  if (host.startsWith('/')) query.set('host', host);
  if (tls !== undefined) query.set('sslmode', tls === 'verify' ? 'verify-full' : 'no-verify');
  const place = host.startsWith('/') ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `postgres://${part(user)}${secret}@${place}:${port}/${part(database)}${query.size > 0 ? `?${query}` : ''}`;
}

/** The address for people: never a password. */
export const describeAddress = ({ host, port }: PostgresAddress): string =>
  host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`;
