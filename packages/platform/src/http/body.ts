import type { IncomingMessage } from "node:http";
import { decodeUtf8, type Json, Problem, parseJson } from "@remit/protocol";

const tooLarge = (bytesMax: number): Problem =>
  new Problem("payload_too_large", {
    detail: `At most ${bytesMax} bytes.`,
    headers: { Connection: "close" },
  });

/** Reads a whole body, at most `bytesMax`; a declared length above it is refused before a byte is read (V04). */
export async function readBody(req: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const encoding = req.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    throw new Problem("unsupported_media_type", { detail: "Send the body without Content-Encoding." });
  if (Number(req.headers["content-length"] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    req.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) return void chunks.push(chunk);
      // The rest is discarded as it comes: the answer closes the connection.
      chunks.length = 0;
      reject(tooLarge(bytesMax));
    });
    req.once("end", () => resolve(new Uint8Array(Buffer.concat(chunks))));
    req.once("error", (cause) =>
      reject(new Problem("invalid_request", { detail: "The body ended early.", cause })),
    );
    req.once("aborted", () => reject(new Problem("invalid_request", { detail: "The body ended early." })));
  });
}

/** The media type without parameters, lower case. */
export const mediaTypeOf = (req: IncomingMessage): string =>
  (req.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

/** JSON as we accept it: UTF-8 without a mark, no duplicate members, no lone surrogates, bounded depth (V04). */
export async function readJson(req: IncomingMessage, bytesMax: number): Promise<Json> {
  const type = mediaTypeOf(req);
  if (type !== "application/json" && !/^application\/[a-z0-9.-]+\+json$/.test(type))
    throw new Problem("unsupported_media_type", { detail: "Send application/json." });
  return parseJson(await readBody(req, bytesMax), { bytesMax });
}

/** The fields of a form. A field sent twice is refused: two readers might take different ones. */
export async function readForm(req: IncomingMessage, bytesMax: number): Promise<Record<string, string>> {
  if (mediaTypeOf(req) !== "application/x-www-form-urlencoded")
    throw new Problem("unsupported_media_type", { detail: "Send application/x-www-form-urlencoded." });
  const text = decodeUtf8(await readBody(req, bytesMax));
  if (text === undefined) throw new Problem("invalid_request", { detail: "The form is not UTF-8." });
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name))
      throw new Problem("invalid_request", { detail: `The field ${name} was sent twice.` });
    if (value.includes("\0"))
      throw new Problem("invalid_request", { detail: `The field ${name} holds a NUL.` });
    fields.set(name, value);
  }
  return Object.fromEntries(fields);
}
