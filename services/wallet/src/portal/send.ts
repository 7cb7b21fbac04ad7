import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const whenLeft: ReadonlySet<unknown> = new Set(["ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_UNABLE_TO_PIPE"]);

/** An answer to its end, or until whoever asked has gone: that is no error of ours, and nobody is left to be told. */
export const send = (from: Readable, res: ServerResponse): Promise<void> =>
  pipeline(from, res).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && whenLeft.has(error.code))) throw error;
  });
