import { nothing, type Route, route } from "@remit/platform/http";
import { decodeUtf8, Problem, securityEventMediaType, setErrorOf } from "@remit/protocol";
import { PushRefusal } from "@remit/protocol/contracts";
import { z } from "zod";
import { hear, type SignalDeps } from "./hearing.ts";
import { streamAt } from "./streams.ts";

export const signalsPath = "/signals";

/** A token is longer than what it tells by a third, and tells little. */
const bodyBytesMax = 16 * 1024;

/** Where the issuer posts its signals (RFC 8935): 202 once one is written down, or why it is not taken. */
export const signalsRoute = (deps: SignalDeps): Route =>
  route({
    method: "POST",
    path: signalsPath,
    summary: "Signals of the authorization server, each a security event token signed by it.",
    needs: "public",
    query: z.object({
      stream: z
        .string()
        .regex(/^[A-Za-z0-9_-]{22}$/)
        .optional(),
    }),
    body: "raw",
    bodyBytesMax,
    answers: { 202: nothing, 400: PushRefusal, 503: "unavailable" },
    limit: { count: 60_000, windowMs: 60_000 },
    handle: async (call, { query, body }) => {
      try {
        const token = tokenOf(call.header("content-type"), body);
        await hear(deps, token, { by: "push", stream: await streamAt(deps, query.stream) });
        return { status: 202 };
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== "invalid_request") throw error;
        const { detail: description } = error;
        const why = description === undefined ? {} : { description };
        return { status: 400, body: { err: setErrorOf(error), ...why } };
      }
    },
  });

function tokenOf(contentType: string | undefined, body: Uint8Array): string {
  const [type = ""] = (contentType ?? "").split(";", 1);
  // RFC 8935 §2.1: what was meant for another address would be read as what it is not.
  if (type.trim().toLowerCase() !== securityEventMediaType)
    throw new Problem("invalid_request", { detail: `Send ${securityEventMediaType}.` });
  const token = decodeUtf8(body);
  if (token === undefined) throw new Problem("invalid_request", { detail: "The token is not UTF-8." });
  return token.trim();
}
