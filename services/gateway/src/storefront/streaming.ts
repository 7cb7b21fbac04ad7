import type { IncomingMessage, ServerResponse } from "node:http";
import type { Credential } from "../credentials/index.ts";
import type { Sink, Sold } from "../purchases/index.ts";
import { streamedHead, streamedProof } from "./answers.ts";

type By = { readonly issuer: string; readonly credential: Credential };
type Pair = { readonly req: IncomingMessage; readonly res: ServerResponse };
type Streamed = Extract<Sold, { kind: "stream" }>;

/** An answer that leaves as it comes. */
export type StreamedAnswer = { deliver(pair: Pair): Promise<void> };

export const streamedAnswer = (sold: Streamed, by: By): StreamedAnswer => ({
  deliver: async ({ req, res }) => {
    const mayHaveTrailers = canHaveTrailers(req, sold.answer.status);
    try {
      const { status, fields } = streamedHead(sold, { ...by, mayHaveTrailers });
      // Who has gone already is told nothing, and what that costs is for the purchase to say.
      if (!res.destroyed) res.writeHead(status, fields.flat());
    } catch (error) {
      // The purchase comes to its end whatever becomes of the answer.
      await sold.deliver(nowhere);
      throw error;
    }
    await sold.deliver(sinkOf(res, { ...by, mayHaveTrailers }));
  },
});

/** RFC 9112 §7.1.2: they follow the last chunk, so that what has no chunks has none. */
const canHaveTrailers = ({ httpVersionMinor, method }: IncomingMessage, status: number): boolean =>
  httpVersionMinor > 0 && method !== "HEAD" && status !== 204 && status !== 304;

const nowhere: Sink = {
  gone: Promise.resolve(),
  write: () => Promise.resolve(false),
  end: () => undefined,
  cut: () => undefined,
};

/** A response that is written to as fast as it is read. */
function sinkOf(res: ServerResponse, by: By & { readonly mayHaveTrailers: boolean }): Sink {
  const gone = res.destroyed
    ? Promise.resolve()
    : new Promise<void>((resolve) => void res.once("close", resolve));
  return {
    gone,
    write: (chunk) => {
      if (res.destroyed) return Promise.resolve(false);
      // Called once it has left for the network: what waits here has been given to nobody.
      return new Promise((resolve) => {
        res.write(chunk, (error) => resolve(error === null || error === undefined));
      });
    },
    end: (claim) => {
      const proof = by.mayHaveTrailers ? streamedProof(claim, by) : [];
      if (proof.length > 0) res.addTrailers(Object.fromEntries(proof));
      res.end();
    },
    cut: () => void res.destroy(),
  };
}
