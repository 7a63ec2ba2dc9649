import { decodePageToken, encodePageToken } from '@souk/service';

/** One of several lists that are shown as one. */
export interface PageSource<T> {
  readonly name: string;
  /** @param after Cursor of the last element that was shown; undefined at the start. */
  fetch(after: string | undefined, limit: number): Promise<readonly { readonly item: T; readonly cursor: string }[]>;
}

export interface MergedPage<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/**
 * A page of several sorted lists, merged. Its token holds where each list is.
 *
 * @param list Name under which its tokens are sealed.
 * @param before Negative when the first element stands before the second.
 * @throws SERVICE_PAGE_TOKEN_INVALID
 */
export async function mergedPage<T>(
  list: string,
  sources: readonly PageSource<T>[],
  { pageToken, size, before }: { pageToken: string; size: number; before: (a: T, b: T) => number },
): Promise<MergedPage<T>> {
  const cursors = cursorsOf(list, pageToken);
  const found = await Promise.all(
    sources.map(async (source) => {
      const elements = await source.fetch(cursors.get(source.name), size + 1);
      return elements.map((element) => ({ ...element, source: source.name }));
    }),
  );
  const all = found.flat().sort((a, b) => before(a.item, b.item));
  const shown = all.slice(0, size);
  for (const { source, cursor } of shown) cursors.set(source, cursor);
  const nextPageToken = all.length > size ? encodePageToken(list, [JSON.stringify([...cursors])]) : '';
  return { items: shown.map(({ item }) => item), nextPageToken };
}

function cursorsOf(list: string, token: string): Map<string, string> {
  const [text] = decodePageToken(token, list, 1) ?? ['[]'];
  const entries: unknown = JSON.parse(text as string);
  const isEntry = (entry: unknown): entry is [string, string] =>
    Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === 'string');
  return new Map(Array.isArray(entries) ? entries.filter(isEntry) : []);
}
