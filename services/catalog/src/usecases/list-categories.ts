import { create } from '@bufbuild/protobuf';
import { type ListCategoriesRequest, ListCategoriesResponseSchema } from '@souk/contracts/catalog/v1/catalog';
import type { Context } from '@souk/kernel';
import { decodePageToken, encodePageToken } from '@souk/service';
import type { CatalogParts } from '../parts.ts';
import { frozen } from '../store/answers.ts';

const LIST = 'categories';
const DEFAULT_SIZE = 100;

/** Categories by name, with the number of products on sale in each. */
export const listCategories = (parts: CatalogParts) => async (ctx: Context, request: ListCategoriesRequest) => {
  await parts.changes.see(ctx);
  const key = JSON.stringify([request.pageSize, request.pageToken]);
  return parts.answers.categories.get(key, async () =>
    frozen(create(ListCategoriesResponseSchema, await read(parts, ctx, request))),
  );
};

async function read(parts: CatalogParts, ctx: Context, request: ListCategoriesRequest) {
  const size = request.pageSize || DEFAULT_SIZE;
  const [name = '', slug = ''] = decodePageToken(request.pageToken, LIST, 2) ?? [];
  const rows = await parts.products.listCategories(ctx, [name, slug], size + 1);
  const page = rows.slice(0, size);
  const last = rows.length > size ? page.at(-1) : undefined;
  return {
    categories: page.map((row) => ({ slug: row.slug, name: row.name, productCount: row.products })),
    nextPageToken: last === undefined ? '' : encodePageToken(LIST, [last.name, last.slug]),
  };
}
