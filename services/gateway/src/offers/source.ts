import { parseJson } from "@remit/protocol";
import { isMap, isScalar, LineCounter, type ParsedNode, parseDocument } from "yaml";

/** Where something stands in a file: as editors count, from 1. */
export type Spot = { readonly line: number; readonly column: number };
export type Path = readonly PropertyKey[];

/** What a file says, and where it says what. */
export type Source = { readonly value: unknown; spotOf(path: Path): Spot | undefined };
export type SourceFault = { readonly message: string; readonly spot?: Spot };

const bytesMax = 16 << 20;

/**
 * Reads JSON, or the part of YAML 1.2 that is a tree: no alias, no tag, no key twice. A file that begins with `{` is JSON,
 * and then strictly so: what two programs might read differently is refused.
 */
export function readSource(bytes: Uint8Array): Source | { readonly faults: readonly SourceFault[] } {
  if (bytes.length > bytesMax) return { faults: [{ message: "it is larger than 16 MiB" }] };
  const text = textOf(bytes);
  if (text === undefined) return { faults: [{ message: "it is no UTF-8 text" }] };
  return /^\s*[{[]/.test(text) ? jsonOf(bytes, text) : yamlOf(text);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function jsonOf(bytes: Uint8Array, text: string): Source | { readonly faults: readonly SourceFault[] } {
  // JSON is YAML, so the same reader says where things stand; it is asked only when something is wrong.
  const spots = (): Tree => treeOf(text);
  try {
    return { value: parseJson(bytes, { bytesMax }), spotOf: (path) => spotIn(spots(), path) };
  } catch {
    const { faults } = spots();
    return {
      faults: faults.length > 0 ? faults : [{ message: "it is no JSON that two programs read alike" }],
    };
  }
}

function yamlOf(text: string): Source | { readonly faults: readonly SourceFault[] } {
  const tree = treeOf(text);
  if (tree.faults.length > 0) return { faults: tree.faults };
  try {
    return { value: tree.document.toJS({ maxAliasCount: 0 }), spotOf: (path) => spotIn(tree, path) };
  } catch {
    return { faults: [{ message: "it has an alias: say it again instead" }] };
  }
}

type Tree = {
  readonly document: ReturnType<typeof parseDocument>;
  readonly lines: LineCounter;
  readonly faults: readonly SourceFault[];
};

function treeOf(text: string): Tree {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    strict: true,
    lineCounter: lines,
    prettyErrors: false,
  });
  // A tag that nobody knows is a warning to the reader; here it would be a value that is not what it says.
  const faults = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    message,
    spot: spotAt(lines, pos[0]),
  }));
  return { document, lines, faults };
}

const spotAt = (lines: LineCounter, offset: number): Spot => {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
};

/** Of the value, of its key where it has one, or of what is nearest above. */
function spotIn({ document, lines }: Tree, path: Path): Spot | undefined {
  for (let length = path.length; length >= 0; length--) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset !== undefined) return spotAt(lines, offset);
  }
  return undefined;
}

function offsetOf(document: Tree["document"], path: Path): number | undefined {
  const last = path.at(-1);
  const parent = document.getIn(path.slice(0, -1), true);
  if (typeof last === "string" && isMap(parent)) {
    const pair = parent.items.find(({ key }) => isScalar(key) && key.value === last);
    return rangeOf(pair?.key);
  }
  return rangeOf(path.length === 0 ? document.contents : document.getIn(path, true));
}

// Nodes that a parser made know where they stand.
const rangeOf = (node: unknown): number | undefined => (node as ParsedNode | null | undefined)?.range?.[0];
