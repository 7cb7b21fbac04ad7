import { toProblemJson } from "@remit/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { countAgainst, countedByAddress, type Edge } from "./edge.ts";
import { logRefusal, problemOf } from "./refusals.ts";
import type { Mount, PageCall } from "./route.ts";
import { pageCallOf } from "./serve-page.ts";

/** Hands the raw pair to a foreign handler. A refusal before its answer began is rendered; after that, the socket ends. */
export function serveMount(
  edge: Edge,
  mount: Mount,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const name = (mount.paths ?? mount.prefixes ?? ["*"]).join(" ");
  return async (request, reply) => {
    const call = pageCallOf(request, reply);
    const counted = countedByAddress(edge, { route: name, limit: mount.limit, open: true, call });
    await countAgainst(edge, reply, { counted, call });
    reply.hijack();
    for (const [header, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(header, value);
    try {
      await mount.handle(call);
    } catch (error) {
      refuseRaw(edge, call, error);
    }
  };
}

function refuseRaw(edge: Edge, call: PageCall, error: unknown): void {
  const problem = problemOf(error);
  logRefusal(call.log, problem);
  const { res } = call.raw;
  if (res.headersSent) return void res.destroy();
  const headers = { ...edge.headers.api, ...problem.headers, "Content-Type": "application/problem+json" };
  for (const [header, value] of Object.entries(headers)) res.setHeader(header, value);
  res.statusCode = problem.status;
  res.end(JSON.stringify(toProblemJson(problem, call.requestId, edge.options.origin)));
}
