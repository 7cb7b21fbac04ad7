import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { toProblemJson } from "@remit/protocol";
import { countedByAddress, type Edge, measure, openCall } from "./edge.ts";
import { countAll } from "./rate-limit.ts";
import { leavesMuchUnread, logRefusal, problemOf } from "./refusals.ts";
import type { Mount, PageCall } from "./route.ts";
import { serveUpgrades } from "./serve-upgrade.ts";

type Serve = (call: PageCall) => Promise<void>;

/** Hands the raw pair to a foreign handler. A refusal before its answer began is rendered; after that, the socket ends. */
export function serveMount(edge: Edge, mount: Mount): Serve {
  const name = (mount.paths ?? mount.prefixes ?? ["*"]).join(" ");
  return async (call) => {
    try {
      const counted = countedByAddress(edge, { route: name, limit: mount.limit, open: true, call });
      if (counted.length > 0) setAll(call.raw.res, await countAll(edge.counters, counted, call.now));
      await mount.handle(call);
    } catch (error) {
      refuseRaw(edge, call, error);
    }
  };
}

/**
 * Serves the exact paths of the mounts that it is then given in front of the router, which costs more than some of their
 * answers do. What comes with a query, or spelled otherwise, goes to the router, and by it to the same mount.
 */
export function serveDirectly(edge: Edge, server: Server): (mount: Mount) => void {
  const known = new Map<string, Serve>();
  const routed = server.listeners("request") as ((req: IncomingMessage, res: ServerResponse) => void)[]; // its only kind
  server.removeAllListeners("request");
  server.on("request", (req: IncomingMessage, res: ServerResponse) => {
    const serve = known.get(req.url ?? "");
    if (serve === undefined) for (const each of routed) each(req, res);
    else void serve(openRaw(edge, req, res));
  });
  return (mount) => {
    for (const path of mount.paths ?? []) known.set(path, serveMount(edge, mount));
    serveUpgrades(edge, server, mount);
  };
}

function openRaw(edge: Edge, req: IncomingMessage, res: ServerResponse): PageCall {
  const call = openCall(edge, req);
  const path = req.url ?? "";
  res.setHeader("X-Request-Id", call.requestId);
  if (edge.isDraining()) res.setHeader("Connection", "close");
  measure(edge, { call, res }, () => path);
  return { ...call, cookies: req.headers.cookie, raw: { req, res } };
}

function refuseRaw(edge: Edge, call: PageCall, error: unknown): void {
  const problem = problemOf(error);
  logRefusal(call.log, problem);
  const { req, res } = call.raw;
  if (res.headersSent) return void res.destroy();
  if (leavesMuchUnread(edge, req)) res.setHeader("Connection", "close");
  setAll(res, { ...edge.headers.api, ...problem.headers, "Content-Type": "application/problem+json" });
  res.statusCode = problem.status;
  res.end(JSON.stringify(toProblemJson(problem, call.requestId, edge.options.origin)));
}

function setAll(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
}
