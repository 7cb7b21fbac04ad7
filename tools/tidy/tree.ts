import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

/** One source file as the rules see it. Paths are relative to the root, with forward slashes. */
export type Source = {
  readonly file: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
  readonly test: boolean;
};

export type Import = { readonly from: string; readonly line: number; readonly typeOnly: boolean };

export type Package = {
  readonly folder: string;
  readonly name: string;
  readonly service: boolean;
  readonly manifest: Manifest;
  readonly readme: string | undefined;
  readonly sources: readonly Source[];
};

export type Manifest = {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

/** Reads every package and service under the root. */
export function readTree(root: string): Package[] {
  return ["packages", "services"].flatMap((kind) => {
    const folder = path.join(root, kind);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => existsSync(path.join(folder, name, "package.json")))
      .map((name) => readPackage(root, `${kind}/${name}`, kind === "services"));
  });
}

function readPackage(root: string, folder: string, service: boolean): Package {
  const manifest = JSON.parse(readFileSync(path.join(root, folder, "package.json"), "utf8")) as Manifest; // our own file
  const readme = path.join(root, folder, "README.md");
  return {
    folder,
    name: path.basename(folder),
    service,
    manifest,
    readme: existsSync(readme) ? readFileSync(readme, "utf8") : undefined,
    sources: ["src", "test"]
      .flatMap((part) => filesUnder(path.join(root, folder, part)))
      .map((file) => readSource(root, file)),
  };
}

function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const full = path.join(folder, name);
    if (statSync(full).isDirectory()) return filesUnder(full);
    return name.endsWith(".ts") && !name.endsWith(".d.ts") ? [full] : [];
  });
}

export function readSource(root: string, full: string): Source {
  const file = path.relative(root, full).replaceAll(path.sep, "/");
  const text = readFileSync(full, "utf8");
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return { file, text, tree, imports: importsOf(tree), test: /\.test\.ts$|\/test\//.test(file) };
}

function importsOf(tree: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    found.push({ from: specifier.text, line: lineOf(tree, node), typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, node.importClause?.isTypeOnly ?? false);
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node, node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

export const lineOf = (tree: ts.SourceFile, node: ts.Node): number =>
  tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;

/** Every node below, depth first. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  for (const child of children) yield* nodesOf(child);
}
