import { Problem } from "../problems.ts";
import { statusListBytesMax } from "../status-list/index.ts";

/** Inflates zlib (RFC 1950) and stops at `statusListBytesMax`. Rejects with `status_list_invalid`. */
export async function inflate(compressed: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(compressed)])
    .stream()
    .pipeThrough(new DecompressionStream("deflate"));
  const inflated: number[] = [];
  try {
    const reader = stream.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (inflated.length + part.value.length > statusListBytesMax) {
        await reader.cancel();
        throw new Problem("status_list_invalid", { detail: "The list is too large." });
      }
      for (const byte of part.value) inflated.push(byte);
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem("status_list_invalid", { detail: "The list cannot be inflated.", cause });
  }
  return Uint8Array.from(inflated);
}
