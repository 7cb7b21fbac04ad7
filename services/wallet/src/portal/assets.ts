import { createReadStream } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { send } from "./send.ts";

/** One built file, as the builder measured it. */
export type Asset = {
  readonly file: string;
  readonly size: number;
  readonly etag: string;
  /** Sizes of its compressed twins, where they exist. */
  readonly br?: number;
  readonly gz?: number;
};

type Twin = { readonly ending: string; readonly encoding?: string; readonly size: number };

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".txt": "text/plain; charset=utf-8",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};

/** Serves built files. Those whose name holds their digest never change (RFC 8246). */
export function createAssets(
  folder: string,
  known: ReadonlyMap<string, Asset>,
): (req: IncomingMessage, res: ServerResponse) => Promise<boolean> {
  return async (req, res) => {
    const asset = known.get((req.url ?? "").split("?", 1)[0] ?? "");
    if (asset === undefined || (req.method !== "GET" && req.method !== "HEAD")) return false;
    const immutable = asset.file.startsWith("_app/immutable/");
    const etag = `"${asset.etag}"`;
    res.setHeader("Cache-Control", immutable ? "public, max-age=31536000, immutable" : "public, max-age=300");
    res.setHeader("ETag", etag);
    res.setHeader("Vary", "Accept-Encoding");
    res.setHeader("X-Content-Type-Options", "nosniff");
    if (req.headers["if-none-match"] === etag) {
      res.writeHead(304).end();
      return true;
    }
    const twin = twinFor(asset, req.headers["accept-encoding"] ?? "");
    if (twin.encoding !== undefined) res.setHeader("Content-Encoding", twin.encoding);
    res.setHeader("Content-Type", types[path.extname(asset.file)] ?? "application/octet-stream");
    res.setHeader("Content-Length", twin.size);
    res.writeHead(200);
    if (req.method === "HEAD") res.end();
    else await send(createReadStream(path.join(folder, asset.file + twin.ending)), res);
    return true;
  };
}

function twinFor({ size, br, gz }: Asset, accepted: string): Twin {
  const takes = (encoding: string): boolean => new RegExp(`\\b${encoding}\\b(?!\\s*;\\s*q=0)`).test(accepted);
  if (br !== undefined && takes("br")) return { ending: ".br", encoding: "br", size: br };
  if (gz !== undefined && takes("gzip")) return { ending: ".gz", encoding: "gzip", size: gz };
  return { ending: "", size };
}
