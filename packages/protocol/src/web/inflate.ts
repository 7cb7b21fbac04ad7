import { concatBytes } from "../encoding/index.ts";
import { Problem } from "../problems.ts";
import { statusListBytesMax } from "../status-list/index.ts";

/** Inflates zlib (RFC 1950) and stops at `statusListBytesMax`. Rejects with `status_list_invalid`. */
export async function inflate(compressed: Uint8Array): Promise<Uint8Array> {
  const source = new Blob([new Uint8Array(compressed)]).stream();
  try {
    return await readAll(source.pipeThrough(new DecompressionStream("deflate")).getReader());
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem("status_list_invalid", { detail: "The list cannot be inflated.", cause });
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > statusListBytesMax) {
      await reader.cancel();
      throw new Problem("status_list_invalid", { detail: "The list is too large." });
    }
    parts.push(part.value);
  }
  return concatBytes(...parts);
}
