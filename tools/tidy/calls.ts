import ts from "typescript";
import type { Finding } from "./imports.ts";
import { reservedCalls } from "./layers.ts";
import { lineOf, nodesOf, type Package, type Source } from "./tree.ts";

const browserPackages = ["agent", "merchant"];

/** Time, chance, the environment, the network, timers and the console: each has one door. */
export function callFindings(pack: Package): Finding[] {
  return pack.sources
    .filter((source) => !source.test)
    .flatMap((source) =>
      [...nodesOf(source.tree)].flatMap((node) => {
        const name = reserved(node, source);
        if (name === undefined || atDoor(name, source.file, pack)) return [];
        return [
          {
            rule: "reserved-call",
            file: source.file,
            line: lineOf(source.tree, node),
            text: `${name} is called only at its door`,
          },
        ];
      }),
    );
}

function reserved(node: ts.Node, source: Source): string | undefined {
  if (ts.isNewExpression(node) && isGlobal(node.expression, "Date", source)) return "new Date";
  if (ts.isPropertyAccessExpression(node)) {
    const text = `${node.expression.getText(source.tree)}.${node.name.text}`;
    if (text === "Date.now" || text === "Math.random" || text === "process.env") return text;
    if (node.name.text === "randomUUID") return "randomUUID";
    if (isGlobal(node.expression, "console", source)) return "console";
  }
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression))
    return ["fetch", "setTimeout", "setInterval", "randomUUID"].find((name) =>
      isGlobal(node.expression, name, source),
    );
  return undefined;
}

/** True when the name is not one the file declares or imports itself. */
function isGlobal(node: ts.Node, name: string, source: Source): boolean {
  return ts.isIdentifier(node) && node.text === name && !declaredNames(source).has(name);
}

const declared = new WeakMap<Source, Set<string>>();

function declaredNames(source: Source): Set<string> {
  const known = declared.get(source);
  if (known !== undefined) return known;
  const names = new Set<string>();
  for (const node of nodesOf(source.tree)) {
    const binds =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isImportSpecifier(node) ||
      ts.isBindingElement(node);
    if (binds && node.name !== undefined && ts.isIdentifier(node.name)) names.add(node.name.text);
  }
  declared.set(source, names);
  return names;
}

function atDoor(name: string, file: string, pack: Package): boolean {
  if (name === "fetch" && browserPackages.includes(pack.name)) return true;
  return (reservedCalls[name] ?? []).some((door) =>
    door === "*/main.ts" ? file.endsWith("/main.ts") : file === door || file.startsWith(`${door}/`),
  );
}
