import path from "node:path";
import ts from "typescript";
import type { Finding } from "./imports.ts";
import { lineOf, nodesOf, type Package, type Source } from "./tree.ts";

const fileLinesMax = 400;
const functionLinesMax = 60;
const parametersMax = 3;
const readmeLinesMax = 25;
const emptyNames = /(^|[-.])(utils?|helpers?|common|manager|impl|misc)([-.]|$)/;
const packageHeadings = ["What", "Use", "Never"];
const serviceHeadings = ["Owns", "Never", "Secrets", "Talks to", "Tables", "Events"];

/** What a file's ending promises, how large things may grow, what a README must say. */
export function shapeFindings(pack: Package): Finding[] {
  return [
    ...pack.sources.flatMap((source) => [...roles(pack, source), ...sizes(source)]),
    ...readme(pack),
    ...dead(pack),
  ];
}

const finding = (rule: string, file: string, line: number, text: string): Finding => ({
  rule,
  file,
  line,
  text,
});

function roles(pack: Package, source: Source): Finding[] {
  const { file, tree } = source;
  const found: Finding[] = [];
  if (emptyNames.test(path.posix.basename(file))) found.push(finding("names", file, 1, "say what it holds"));
  if (source.test || pack.name === "platform" || pack.name === "testkit") return found;
  for (const node of nodesOf(tree)) {
    if (ts.isTaggedTemplateExpression(node) && node.tag.getText(tree) === "sql" && !file.endsWith(".sql.ts"))
      found.push(finding("roles", file, lineOf(tree, node), "SQL stands in .sql.ts files"));
    const routes =
      ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "route";
    if (routes && !file.endsWith(".http.ts"))
      found.push(finding("roles", file, lineOf(tree, node), "routes stand in .http.ts files"));
  }
  if (file.endsWith(".sql.ts"))
    for (const item of source.imports)
      if (/\.(http|jobs)\.ts$|platform\/(http|jobs|outbound)/.test(item.from))
        found.push(finding("roles", file, item.line, "a .sql.ts file knows neither HTTP nor jobs"));
  if (file.endsWith(".http.ts"))
    for (const item of source.imports)
      if (item.from.endsWith(".sql.ts") && !item.typeOnly)
        found.push(
          finding("roles", file, item.line, "a route calls its room's operations, not its statements"),
        );
  return found;
}

function sizes(source: Source): Finding[] {
  const { file, tree, text } = source;
  const found: Finding[] = [];
  const lines = text.split("\n").length;
  if (lines > fileLinesMax && !source.test)
    found.push(finding("size", file, 1, `${lines} lines; the limit is ${fileLinesMax}`));
  if (source.test) return found;
  for (const node of nodesOf(tree)) {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) continue;
    const from = lineOf(tree, node);
    const length = tree.getLineAndCharacterOfPosition(node.getEnd()).line + 2 - from;
    if (length > functionLinesMax)
      found.push(
        finding("size", file, from, `a function of ${length} lines; the limit is ${functionLinesMax}`),
      );
    if (node.parameters.length > parametersMax && !ts.isConstructorDeclaration(node))
      found.push(
        finding(
          "size",
          file,
          from,
          `${node.parameters.length} parameters; beyond ${parametersMax} an object with names`,
        ),
      );
  }
  return found;
}

function readme(pack: Package): Finding[] {
  const file = `${pack.folder}/README.md`;
  if (pack.readme === undefined) return [finding("readme", file, 1, "missing")];
  const lines = pack.readme.trimEnd().split("\n");
  const wanted = pack.service ? serviceHeadings : packageHeadings;
  const said = (heading: string): boolean =>
    lines.some((line) =>
      new RegExp(`^(#+ ${heading}|\\*\\*${heading}\\*\\*|${heading}:)`, "i").test(line.trim()),
    );
  const found = wanted
    .filter((heading) => !said(heading))
    .map((heading) => finding("readme", file, 1, `says nothing under "${heading}"`));
  if (lines.length > readmeLinesMax)
    found.push(
      finding("readme", file, lines.length, `${lines.length} lines; the limit is ${readmeLinesMax}`),
    );
  return found;
}

/** A source that no face, no main and no test leads to is dead. */
function dead(pack: Package): Finding[] {
  const byFile = new Map(pack.sources.map((source) => [source.file, source]));
  const faces = Object.values(pack.manifest.exports ?? {}).map((face) => sourceOf(face));
  const roots = pack.sources.filter(
    ({ file }) =>
      file.endsWith("/main.ts") ||
      file.startsWith(`${pack.folder}/test/`) ||
      faces.includes(file.slice(pack.folder.length + 1)),
  );
  const alive = new Set<string>();
  const queue = roots.map(({ file }) => file);
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (alive.has(file)) continue;
    alive.add(file);
    for (const item of byFile.get(file)?.imports ?? [])
      if (item.from.startsWith(".")) queue.push(path.posix.join(path.posix.dirname(file), item.from));
  }
  return pack.sources
    .filter(({ file, test }) => !test && !alive.has(file))
    .map(({ file }) => finding("dead", file, 1, "nothing leads here"));
}

function sourceOf(face: unknown): string | undefined {
  if (typeof face !== "object" || face === null || !("@remit/src" in face)) return undefined;
  const source = face["@remit/src"];
  return typeof source === "string" ? source.replace(/^\.\//, "") : undefined;
}
