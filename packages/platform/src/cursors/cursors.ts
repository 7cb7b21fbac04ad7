import { createHmac, timingSafeEqual } from "node:crypto";
import { base64url, canonicalise, type JsonObject, Problem } from "@remit/protocol";

/** Where a list goes on: signed, and bound to the filter it was given for (V07). */
export type Cursors = {
  make(filter: JsonObject, after: string): string;
  /** Throws cursor_invalid. */
  read(filter: JsonObject, cursor: string): string;
};

export function createCursors(secret: Uint8Array): Cursors {
  const tagOf = (filter: JsonObject, after: string): Buffer =>
    createHmac("sha256", secret)
      .update(canonicalise([filter, after]))
      .digest()
      .subarray(0, 16);
  return {
    make: (filter, after) => `${after}.${base64url.encode(tagOf(filter, after))}`,
    read: (filter, cursor) => {
      const [after = "", tag = "", ...rest] = cursor.split(".");
      const given = base64url.decode(tag);
      const valid =
        given?.length === 16 &&
        rest.length === 0 &&
        after.isWellFormed() &&
        timingSafeEqual(given, tagOf(filter, after));
      if (!valid) throw new Problem("cursor_invalid");
      return after;
    },
  };
}
