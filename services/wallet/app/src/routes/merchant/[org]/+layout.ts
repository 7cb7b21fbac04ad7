import { consoleWordsOf } from "#lib/words/console/index.ts";
import type { LayoutLoad } from "./$types.ts";

export const load: LayoutLoad = async ({ data, parent }) => {
  const { locale } = await parent();
  return { ...data, own: await consoleWordsOf(locale) };
};
