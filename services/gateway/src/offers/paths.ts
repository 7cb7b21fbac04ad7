import { Problem } from "@remit/protocol";

/** What was asked for, in its one spelling. `query` begins with `?` or is empty. */
export type Target = { readonly path: string; readonly query: string };

/** A route's path, in segments: a literal, `:name` for any one segment, or a last `*` for one or more. */
export type Pattern = readonly string[];

const lengthMax = 2048;
// RFC 3986 §3.3 pchar without ";", which servers read as parameters, and "'" , which browsers rewrite.
const pathText = /^\/(?:[A-Za-z0-9\-._~!$&()*+,=:@/]|%[0-9A-Fa-f]{2})*$/;
const queryText = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?[\]|^`{}]|%[0-9A-Fa-f]{2})*$/;
// What an upstream may decode into another path: unreserved characters (the dot among them), "/", "\", ";", "%" and controls.
const hidden = /%(?:2[ef5]|5c|3b|[01][0-9a-f]|7f|3[0-9]|[46][1-9a-f]|[57][0-9a]|2d|5f|7e)/i;

/**
 * The request target when it has exactly one meaning (V12): the same text is matched, signed in the offer and sent to
 * the upstream, so that no other spelling of a paid path is free. Anything else is refused, never repaired.
 */
export function targetOf(requestTarget: string): Target {
  const mark = requestTarget.indexOf("?");
  const path = mark === -1 ? requestTarget : requestTarget.slice(0, mark);
  const query = mark === -1 ? "" : requestTarget.slice(mark);
  const fault = faultOf(requestTarget, path, query);
  if (fault !== undefined) throw new Problem("path_ambiguous", { detail: fault });
  return { path, query };
}

function faultOf(target: string, path: string, query: string): string | undefined {
  if (target.length > lengthMax) return `The address is longer than ${lengthMax} characters.`;
  if (!pathText.test(path)) return "The path has characters that a path cannot have, or a semicolon.";
  if (hidden.test(path)) return "The path encodes characters that are written plainly or not at all.";
  if (path.includes("%") && isMisleading(path))
    return "The path encodes text that is read in more than one way.";
  if (!queryText.test(query.slice(1))) return "The query has characters that must be percent-encoded.";
  const segments = path.slice(1).split("/");
  if (segments.slice(0, -1).includes("")) return "The path has an empty segment.";
  return segments.some((segment) => segment === "." || segment === "..")
    ? "The path has dots to resolve."
    : undefined;
}

/** Bytes that are no UTF-8 (an overlong "/" among them), and look-alikes of what divides paths, which some servers fold. */
function isMisleading(path: string): boolean {
  try {
    const text = decodeURIComponent(path);
    return /\p{Cc}/u.test(text) || /[./\\;%?#]/.test(text.replace(/[\0-\x7f]+/g, "").normalize("NFKC"));
  } catch {
    return true;
  }
}

/** The pattern of a route in the offers file, or what is wrong with it. */
export function parsePattern(text: string): Pattern | { readonly fault: string } {
  if (!text.startsWith("/")) return { fault: "begins with /" };
  const segments = text.slice(1).split("/");
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === "*" && last) continue;
    if (/^:[a-z][a-z0-9_]*$/i.test(segment)) continue;
    if (segment === "" && last && index > 0) continue;
    if (segment === "" && text !== "/") return { fault: "has an empty segment" };
    if (/[:*]/.test(segment))
      return { fault: "has a : or * that is no whole segment, or a * before the end" };
  }
  const literal = `/${segments.filter((segment) => !isOpen(segment)).join("/")}`;
  return faultOf(literal, literal, "") === undefined ? segments : { fault: "is not in its one spelling" };
}

/**
 * For sorting: negative when `a` holds where both match. At the first segment that differs in kind, a word is more
 * specific than a `:name`, and that than a `*`; so which price holds never depends on the order of a file (V12).
 */
export function moreSpecific(a: Pattern, b: Pattern): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const difference = openness(a[index] ?? "") - openness(b[index] ?? "");
    if (difference !== 0) return difference;
  }
  return b.length - a.length;
}

const openness = (segment: string): number => (segment === "*" ? 2 : segment.startsWith(":") ? 1 : 0);

/** True when both match the very same paths. */
export const sameShape = (a: Pattern, b: Pattern): boolean =>
  a.length === b.length &&
  a.every(
    (segment, index) => segment === b[index] || (openness(segment) === 1 && openness(b[index] ?? "") === 1),
  );

/** A path or pattern as a reader takes it that decodes before it routes, and to whom case is nothing (`%40Me` is `@me`). */
export const foldedSegmentsOf = (segments: readonly string[]): readonly string[] => segments.map(folded);

// What cannot be decoded was refused before: a path by `targetOf`, a pattern by `parsePattern`.
const folded = (segment: string): string =>
  (segment.includes("%") ? decodeURIComponent(segment) : segment).toLowerCase();

/**
 * True when a more lenient reader than we are may take the path for one that the pattern matches, or for one below it:
 * neither case nor encoding counts, and nothing after the pattern does. `segments` are folded.
 */
export function looselyBelow(pattern: Pattern, segments: readonly string[]): boolean {
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index];
    if (expected === "*") return true;
    if (expected === "" && index === pattern.length - 1) return true;
    if (segment === undefined) return false;
    if (!expected.startsWith(":") && folded(expected) !== segment) return false;
  }
  return true;
}

/** The same of a path that may be taken for one that the pattern matches, and not only for one below it. */
export function looselySame(pattern: Pattern, segments: readonly string[]): boolean {
  if (pattern.at(-1) === "*") return looselyBelow(pattern, segments);
  const length = (of: readonly string[]): number => (of.at(-1) === "" ? of.length - 1 : of.length);
  return length(pattern) === length(segments) && looselyBelow(pattern, segments);
}

const isOpen = (segment: string): boolean => segment === "*" || segment.startsWith(":");

/** Path and query as the upstream sees them. */
export function upstreamTarget(route: { readonly stripPrefix?: string }, { path, query }: Target): string {
  const { stripPrefix: prefix } = route;
  if (prefix === undefined || !(path === prefix || path.startsWith(`${prefix}/`))) return path + query;
  return (path.slice(prefix.length) || "/") + query;
}
