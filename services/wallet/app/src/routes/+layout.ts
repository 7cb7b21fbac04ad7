import { wordsOf } from "#lib/words/index.ts";
import type { LayoutLoad } from "./$types.ts";

export const load: LayoutLoad = async ({ data }) => ({ ...data, words: await wordsOf(data.locale) });
