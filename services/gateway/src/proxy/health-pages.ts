import { leftAlone } from "./health.ts";

/** What a health page said; no status when it did not answer. */
export type Wellness = { readonly isWell: boolean; readonly status?: number };

/** One answer that is lost is no illness. */
const unwellMax = 2;
const pagesMax = 10_000;

/** What the health pages of upstreams have said last. One that was never asked is well. */
export function createHealthPages() {
  const pages = new Map<string, { unwell: number; everyMs: number }>();
  const keyOf = (origin: string, path: string): string => `${origin} ${path}`;
  return {
    said: (origin: string, path: string, { isWell, everyMs }: { isWell: boolean; everyMs: number }): void => {
      const key = keyOf(origin, path);
      // Of what is well nothing needs to be known.
      if (isWell) return void pages.delete(key);
      if (pages.size >= pagesMax && !pages.has(key)) return;
      pages.set(key, { unwell: (pages.get(key)?.unwell ?? 0) + 1, everyMs });
    },
    check: (origin: string, path: string): void => {
      const page = pages.get(keyOf(origin, path));
      if (page !== undefined && page.unwell >= unwellMax) throw leftAlone(origin, page.everyMs);
    },
  };
}
