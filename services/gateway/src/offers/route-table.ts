import { Problem } from "@remit/protocol";
import type { PaidRoute, SaleRoute, Shop } from "./model.ts";
import { foldedSegmentsOf, looselyBelow, looselySame, moreSpecific, sameShape } from "./paths.ts";

/** The routes of a shop, found by the segments of a path. */
type Table = {
  readonly root: Node;
  /** For a route: those that it must not be a way around. */
  readonly guards: Map<SaleRoute, readonly SaleRoute[]>;
};

type Node = {
  readonly literal: Map<string, Node>;
  open?: Node;
  /** Routes that end here, and those that take all that follows. */
  readonly here: SaleRoute[];
  readonly rest: SaleRoute[];
};

const tables = new WeakMap<Shop, Table>();

/**
 * The route of a path: of all that match, the most specific one. What no route matches is refused, never passed on, and so
 * is what only a less guarded or other price's route matches although an upstream that reads paths loosely (by case, by encoding,
 * by a trailing slash) might answer with what a better guarded one protects (V12).
 */
export function routeAt(shop: Shop, method: string, path: string): SaleRoute {
  const table = tableOf(shop);
  const found = withoutShadowed(matchesOf(table.root, path.slice(1).split("/")));
  if (found.length === 0) throw new Problem("route_not_offered");
  const route = found.find((candidate) => candidate.method === method);
  if (route === undefined) throw notAllowed(found);
  if (isWayAround(table, shop, { route, path })) throw new Problem("route_not_offered");
  return route;
}

/** True for a path that may be read as one of a guarded route, or as one below it. */
export function isGuarded(shop: Shop, path: string): boolean {
  const segments = foldedSegmentsOf(path.slice(1).split("/"));
  return shop.routes.some((route) => route.gate !== "free" && looselyBelow(route.pattern, segments));
}

function tableOf(shop: Shop): Table {
  const known = tables.get(shop);
  if (known !== undefined) return known;
  const table: Table = { root: emptyNode(), guards: new Map() };
  for (const route of shop.routes) insert(table.root, route);
  tables.set(shop, table);
  return table;
}

const emptyNode = (): Node => ({ literal: new Map(), here: [], rest: [] });

function insert(root: Node, route: SaleRoute): void {
  let node = root;
  for (const segment of route.pattern) {
    if (segment === "*") return void node.rest.push(route);
    node = segment.startsWith(":") ? (node.open ??= emptyNode()) : literalOf(node, segment);
  }
  node.here.push(route);
}

function literalOf(node: Node, segment: string): Node {
  const known = node.literal.get(segment);
  if (known !== undefined) return known;
  const made = emptyNode();
  node.literal.set(segment, made);
  return made;
}

/** All routes that match, the most specific first: a literal before an open segment, and that before the rest. */
function matchesOf(node: Node, segments: readonly string[], at = 0): readonly SaleRoute[] {
  const segment = segments[at];
  if (segment === undefined) return node.here;
  const literal = node.literal.get(segment);
  const exact = literal === undefined ? [] : matchesOf(literal, segments, at + 1);
  const open = node.open === undefined || segment === "" ? [] : matchesOf(node.open, segments, at + 1);
  const rest = segment === "" ? [] : node.rest;
  if (open.length === 0 && rest.length === 0) return exact;
  return [...exact, ...open, ...rest];
}

/** Where a more specific route is guarded, a less guarded one behind it does not step in for another method. */
function withoutShadowed(found: readonly SaleRoute[]): readonly SaleRoute[] {
  if (found.length < 2) return found;
  const shadows = (other: SaleRoute, route: SaleRoute): boolean =>
    rankOf(other) > rankOf(route) && moreSpecific(other.pattern, route.pattern) < 0;
  return found.filter((route) => !found.some((other) => shadows(other, route)));
}

const rankOf = ({ gate }: SaleRoute): number => ["free", "auth", "paid"].indexOf(gate);

function isWayAround(
  { guards }: Table,
  shop: Shop,
  { route, path }: { readonly route: SaleRoute; readonly path: string },
): boolean {
  let guarding = guards.get(route);
  if (guarding === undefined) {
    guarding = shop.routes.filter((other) => guardsAgainst(other, route));
    guards.set(route, guarding);
  }
  if (guarding.length === 0) return false;
  const segments = foldedSegmentsOf(path.slice(1).split("/"));
  return guarding.some((other) =>
    rankOf(other) > rankOf(route)
      ? looselyBelow(other.pattern, segments)
      : looselySame(other.pattern, segments),
  );
}

/** Of one path, each method has a gate of its own; and what is opened by name below a guarded prefix is open. */
const guardsAgainst = (other: SaleRoute, route: SaleRoute): boolean =>
  rankOf(other) > rankOf(route)
    ? moreSpecific(route.pattern, other.pattern) >= 0 && !sameShape(route.pattern, other.pattern)
    : // Two prices: the lower one must not be had by another spelling of the path.
      other.gate === "paid" &&
      route.gate === "paid" &&
      moreSpecific(other.pattern, route.pattern) < 0 &&
      costOf(other) !== costOf(route);

/** What is paid, and by what: of two routes that cost the same, none is a way around the other. */
const costOf = ({ price, meter, ways, settle, deliver }: PaidRoute): string =>
  JSON.stringify([price, meter ?? null, ways, settle, deliver], (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );

function notAllowed(found: readonly SaleRoute[]): Problem {
  const allow = [...new Set(found.map(({ method }) => method))].join(", ");
  return new Problem("method_not_allowed", { headers: { allow } });
}
