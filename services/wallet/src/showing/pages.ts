type ListPage<T> = { readonly data: readonly T[]; readonly next_cursor: string | null };

/** All of a list, page after page; no more than so many pages, since whoever waits for the whole waits for each. */
export async function everyOf<T>(
  pageFrom: (cursor: string | undefined) => Promise<ListPage<T>>,
  pagesMax = 20,
): Promise<readonly T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const { data, next_cursor: next } = await pageFrom(cursor);
    found.push(...data);
    if (next === null) break;
    cursor = next;
  }
  return found;
}
