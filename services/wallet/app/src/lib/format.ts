import { getContext, setContext } from "svelte";
import { type Format, formatIn } from "../../../src/showing/index.ts";

export { type Format, formatIn };

const key = Symbol("format");

export const giveFormat = (format: () => Format): unknown => setContext(key, format);

/** Called where it is used, so that a change of zone is seen. */
export const useFormat = (): (() => Format) => getContext<() => Format>(key);
