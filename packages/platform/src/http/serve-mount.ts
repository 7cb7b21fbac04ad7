import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { toProblemJson } from "@remit/protocol";
import { countedByAddress, type Edge, measure, openCall } from "./edge.ts";
import { countAll } from "./rate-limit.ts";
import { type Learn, type Recognised, recognise } from "./recognised.ts";
import { leavesMuchUnread, logRefusal, problemOf } from "./refusals.ts";
import { criticalityIn, type Mount, type PageCall, type RawPair } from "./route.ts";
import { serveUpgrades } from "./serve-upgrade.ts";
import { shed } from "./shed.ts";

type Serve = (call: PageCall, learn?: Learn) => Promise<void>;

/** Hands the raw pair to a foreign handler. A refusal before its answer began is rendered; after that, the socket ends. */
export function serveMount(edge: Edge, mount: Mount): Serve {
  const counting = {
    route: (mount.paths ?? mount.prefixes ?? ["*"]).join(" "),
    limit: mount.limit,
  };
  return async (call, learn) => {
    try {
      shed(edge, call.raw.res, criticalityIn(mount, call.raw.req));
      const counted = countedByAddress(edge, { ...counting, open: true, call });
      if (counted.length > 0) setAll(call.raw.res, await countAll(edge.counters, counted, call.now));
      await mount.handle(
        learn === undefined ? call : { ...call, recognise: (how) => learn({ ...how, counting }) },
      );
    } catch (error) {
      refuseOrEnd(edge, call, error);
    }
  };
}

/**
 * Serves mounts in front of the router, which costs more than some of their answers do: the exact paths of a mount, and
 * everything for a mount that gets what no route claims. What comes with a query, or spelled otherwise, or near what is
 * claimed goes to the router, and by it to the same mount.
 */
export function serveDirectly(
  edge: Edge,
  server: Server,
  claimed: () => readonly string[],
): (mount: Mount) => void {
  const known = new Map<string, Serve>();
  let rest: Serve | undefined;
  let owned: ReadonlySet<string> | undefined;
  const routed = server.listeners("request") as ((req: IncomingMessage, res: ServerResponse) => void)[]; // its only kind
  server.removeAllListeners("request");
  let recognised: Recognised | undefined;
  server.on("request", (req: IncomingMessage, res: ServerResponse) => {
    const learner = recognised?.learnerOf(req);
    const url = req.url ?? "";
    const serve = known.get(url);
    if (serve !== undefined) return void serve(openRaw(edge, { req, res }, url), learner?.(url));
    // No route is added once requests come in.
    if (rest !== undefined && isElsewhere(req, (owned ??= new Set(claimed().map(firstSegmentOf)))))
      return void rest(openRaw(edge, { req, res }, everythingElse), learner?.(everythingElse));
    for (const each of routed) each(req, res);
  });
  return (mount) => {
    for (const path of mount.paths ?? []) known.set(path, serveMount(edge, mount));
    if (mount.paths === undefined && mount.prefixes === undefined) rest = serveMount(edge, mount);
    if (mount.recognises === true) recognised ??= recognise(edge, server);
    serveUpgrades(edge, server, mount);
  };
}

/** What a mount that gets everything else is called in metrics, however it is reached. */
const everythingElse = "/*";

const usualMethods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
]);

/** True for what the router would hand to the mount of everything else: no route begins as it does. */
function isElsewhere({ url = "", method = "" }: IncomingMessage, owned: ReadonlySet<string>): boolean {
  return (
    url.startsWith("/") && !url.includes("%") && usualMethods.has(method) && !owned.has(firstSegmentOf(url))
  );
}

/** In lower case; routes whose first segment is open would own everything, and none is. */
const firstSegmentOf = (path: string): string => /^\/([^/?]*)/.exec(path)?.[1]?.toLowerCase() ?? "";

function openRaw(edge: Edge, { req, res }: RawPair, route: string): PageCall {
  const call = openCall(edge, req, res);
  res.setHeader("X-Request-Id", call.requestId);
  if (edge.isDraining()) res.setHeader("Connection", "close");
  measure(edge, { call, res }, () => route);
  return { ...call, cookies: req.headers.cookie, raw: { req, res } };
}

/** What cannot even be refused, because of what its handler has begun to say, is ended. */
function refuseOrEnd(edge: Edge, call: PageCall, error: unknown): void {
  try {
    refuseRaw(edge, call, error);
  } catch (cause) {
    call.log.error({ error: cause }, "a refusal could not be sent");
    call.raw.res.destroy();
  }
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
