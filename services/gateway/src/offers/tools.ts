import type { Offers, OpenRoute, PaidRoute, SaleRoute, ServerProgram, Shop } from "./model.ts";
import { sameShape } from "./paths.ts";

/** An MCP server that is sold by its tools, at one address of a shop. */
export type ToolServer = {
  /** All that is not the call of a tool: who asks what there is pays nothing. */
  readonly open: OpenRoute;
  readonly paid: readonly PaidRoute[];
  /** What a tool costs; undefined for one that is not for sale. */
  toolOf(name: string): SaleRoute | undefined;
};

const known = new WeakMap<Shop, ReadonlyMap<string, ToolServer>>();

/** The server of a path that is written exactly so; undefined where none is sold. */
export function toolServerAt(shop: Shop, path: string): ToolServer | undefined {
  const servers = known.get(shop) ?? serversOf(shop);
  known.set(shop, servers);
  return servers.get(path);
}

function serversOf({ routes }: Shop): ReadonlyMap<string, ToolServer> {
  const byPath = new Map<string, [SaleRoute, ...SaleRoute[]]>();
  for (const route of routes.filter(({ tool }) => tool !== undefined)) {
    const path = `/${route.pattern.join("/")}`;
    const there = byPath.get(path);
    if (there === undefined) byPath.set(path, [route]);
    else there.push(route);
  }
  return new Map([...byPath].map(([path, its]) => [path, serverOf(its)]));
}

function serverOf(its: readonly [SaleRoute, ...SaleRoute[]]): ToolServer {
  const tools = new Map(its.map((route) => [route.tool, route]));
  return {
    open: { ...its[0], gate: "free" },
    paid: its.filter((route) => route.gate === "paid"),
    toolOf: (name) => tools.get(name) ?? tools.get("*"),
  };
}

/** True when which of the two holds would be chance. Of the tools of one server, each is sold once, and all by one upstream. */
export function doClash(a: SaleRoute, b: SaleRoute): boolean {
  if (!sameShape(a.pattern, b.pattern)) return false;
  if (a.tool === undefined && b.tool === undefined) return a.method === b.method;
  // The address of an MCP server is its own, whatever the method.
  if (a.tool === undefined || b.tool === undefined) return true;
  return a.tool === b.tool || a.upstream !== b.upstream || a.stripPrefix !== b.stripPrefix;
}

const programs = new WeakMap<Offers, ReadonlyMap<string, ServerProgram>>();

/** What runs behind an upstream `stdio:name`, as the offers say now. */
export function programOf(offers: Offers, upstream: string): ServerProgram | undefined {
  const found = programs.get(offers) ?? programsOf(offers);
  programs.set(offers, found);
  return found.get(upstream);
}

const programsOf = (offers: Offers): ReadonlyMap<string, ServerProgram> =>
  new Map(
    [...offers.values()].flatMap(({ routes }) =>
      routes.flatMap(({ upstream, program }) =>
        program === undefined ? [] : [[upstream, program] as const],
      ),
    ),
  );
