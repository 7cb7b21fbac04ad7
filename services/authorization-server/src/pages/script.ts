import { createHash } from "node:crypto";

/** One small script of ours, inside the page. The policy names it by its hash, so that nothing else runs there. */
export type Script = { readonly source: string; readonly hash: string };

/** `source` is ours and constant: nothing that anybody wrote is ever put into it. What it needs it reads from `data-*`. */
export function script(source: string): Script {
  const text = source.trim();
  // Inside <script> the text ends at this tag, whatever it was meant to be.
  if (/<\/script|<!--/i.test(text)) throw new RangeError("a script holds no tag");
  return { source: text, hash: `'sha256-${createHash("sha256").update(text).digest("base64")}'` };
}
