/** Lists, a page at a time: `{items, nextPageKey}`, newest first, `nextPageKey` absent on the last page. Pure. */
import { sql, type SelectQueryBuilder } from "kysely";
import { z } from "zod";

const LIMIT = 100;

/** What a list's query may say. The key is the last id of the page before: an id says nothing to a stranger. */
export const pageQuery = z.object({
  pageKey: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: "The `nextPageKey` of the page before." }),
  paginationLimit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, "must be a whole number from 1 to 100")
    .transform(Number)
    .pipe(z.int().max(LIMIT, "must be a whole number from 1 to 100"))
    .optional()
    .meta({ description: "How many to a page: 20, or up to 100." }),
});
export type PageQuery = z.infer<typeof pageQuery>;
/** The same, where what is listed is numbered within its owner. */
export const numberedPageQuery = pageQuery.extend({
  pageKey: z
    .string()
    .regex(/^[1-9][0-9]{0,8}$/, "must be the nextPageKey of the page before")
    .transform(Number)
    .optional()
    .meta({ description: "The `nextPageKey` of the page before." }),
});
export type NumberedPageQuery = z.infer<typeof numberedPageQuery>;
export type Page<T> = { readonly items: readonly T[]; readonly nextPageKey?: string };

const DEFAULT_LIMIT = 20;
export const pageSize = ({ paginationLimit }: Pick<PageQuery, "paginationLimit">): number =>
  paginationLimit ?? DEFAULT_LIMIT;

/** Makes a query answer this page: what is past its key, by ids (or numbers) that rise with time, and one row more than it shows. For `$call`. */
export const newestFirst =
  (column: string, query: PageQuery | NumberedPageQuery) =>
  <DB, TB extends keyof DB, O>(rows: SelectQueryBuilder<DB, TB, O>): SelectQueryBuilder<DB, TB, O> => {
    const id = sql.ref<string>(column);
    const past = query.pageKey === undefined ? rows : rows.where(sql<boolean>`${id} < ${query.pageKey}`);
    return past.orderBy(id, "desc").limit(pageSize(query) + 1);
  };

/** `rows` is one more than a page, if there were as many: that is how it is known that another page follows. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  size: number,
  keyOf: (row: Row) => string,
  render: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return {
    items: shown.map(render),
    ...(rows.length > size && last !== undefined ? { nextPageKey: keyOf(last) } : {}),
  };
}
