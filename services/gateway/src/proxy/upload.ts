import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { Problem } from "@remit/protocol";

/** The body of a request on its way up, read only as fast as the upstream takes it. */
export type Upload = {
  /** Undefined when the request has none. */
  readonly body: Readable | undefined;
  /** True once any of it has been read: then it cannot be sent a second time. */
  readonly begun: () => boolean;
};

/** More is no request but a way to fill somebody's disk. */
export const uploadBytesMax = 1024 ** 3;

/** RFC 9112 §6.3: a request has a body when it says how long it is, or that it comes in chunks. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/**
 * The body as a stream of its own: when the upstream fails, it is destroyed and the request is not, so that the caller can
 * still be told.
 */
export function uploadOf(req: IncomingMessage): Upload {
  if (!hasBody(req)) return { body: undefined, begun: () => false };
  if (Number(req.headers["content-length"] ?? 0) > uploadBytesMax) throw tooLarge();
  let begun = false;
  let bytes = 0;
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > uploadBytesMax) body.destroy(tooLarge());
    else if (!body.push(chunk)) req.pause();
  };
  const onEnd = (): void => void body.push(null);
  const onBroken = (): void =>
    void body.destroy(new Problem("invalid_request", { detail: "The body ended early." }));
  const body: Readable = new Readable({
    read: () => {
      if (!begun) req.on("data", onData).once("end", onEnd).once("error", onBroken).once("close", onBroken);
      begun = true;
      req.resume();
    },
    destroy: (error, done) => {
      req.off("data", onData).off("end", onEnd).off("error", onBroken).off("close", onBroken);
      req.on("error", () => undefined); // who hangs up now has been told what became of it
      req.pause();
      done(error);
    },
  });
  return { body, begun: () => begun };
}

const tooLarge = (): Problem =>
  new Problem("payload_too_large", {
    detail: `At most ${uploadBytesMax} bytes.`,
    headers: { Connection: "close" },
  });
