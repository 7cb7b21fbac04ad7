import { isBuiltin } from "node:module";
import path from "node:path";
import { forTestsAlone, layers, vendorDoors } from "./layers.ts";
import type { Import, Package, Source } from "./tree.ts";

export type Finding = {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  readonly text: string;
};

/** Layers, doors, rooms and declared dependencies: everything an import can do wrong. */
export function importFindings(pack: Package): Finding[] {
  return pack.sources.flatMap((source) =>
    source.imports.flatMap((item) =>
      (item.from.startsWith(".") ? relative(pack, source, item) : bare(pack, source, item)).map(
        (finding) => ({
          ...finding,
          file: source.file,
          line: item.line,
        }),
      ),
    ),
  );
}

type Bare = Omit<Finding, "file" | "line">;

function relative(pack: Package, source: Source, item: Import): Bare[] {
  if (item.from.endsWith(".js"))
    return [{ rule: "relative-js", text: `${item.from}: relative imports end in .ts` }];
  const target = path.posix.join(path.posix.dirname(source.file), item.from);
  if (!target.startsWith(`${pack.folder}/`))
    return [{ rule: "layers", text: `${item.from} leaves ${pack.folder}: import the package by its name` }];
  const from = roomOf(pack, source.file);
  const to = roomOf(pack, target);
  const face = path.posix.basename(target) === "index.ts";
  if (source.test || to === undefined || from === to || face) return [];
  return [{ rule: "rooms", text: `${item.from}: other rooms know only ${to}/index.ts` }];
}

/** `src/<room>/…` is a room; a file directly in src belongs to none. */
function roomOf(pack: Package, file: string): string | undefined {
  const parts = file.slice(pack.folder.length + 1).split("/");
  return parts[0] === "src" && parts.length > 2 ? parts[1] : undefined;
}

function bare(pack: Package, source: Source, item: Import): Bare[] {
  if (isBuiltin(item.from)) return [];
  const name = item.from
    .split("/")
    .slice(0, item.from.startsWith("@") ? 2 : 1)
    .join("/");
  const findings: Bare[] = [...undeclared(pack, source, name), ...vendor(source, name)];
  if (name.startsWith("@remit/")) findings.push(...layer(pack, source, { ...item, from: item.from }));
  return findings;
}

function undeclared(pack: Package, source: Source, name: string): Bare[] {
  const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = pack.manifest;
  const shared =
    ["vitest", "fast-check"].includes(name) &&
    (source.test || pack.name === "testkit" || /conformance/.test(source.file));
  const declared =
    name in dependencies || name in optionalDependencies || (source.test && name in devDependencies);
  if (declared || shared || name === pack.manifest.name) return [];
  return [{ rule: "undeclared", text: `${name} is not declared in ${pack.folder}/package.json` }];
}

function vendor(source: Source, name: string): Bare[] {
  const doors = vendorDoors[name];
  if (doors === undefined || source.test || doors.some((door) => source.file.startsWith(`${door}/`)))
    return [];
  return [{ rule: "doors", text: `${name} is imported only in ${doors.join(", ")}` }];
}

function layer(pack: Package, source: Source, item: Import): Bare[] {
  const [, target = "", ...deep] = item.from.split("/");
  const allowed = layers[pack.name];
  const inTest = source.test && (forTestsAlone.includes(target) || pack.service || pack.name === "embedded");
  if (allowed !== undefined && target !== pack.name && !allowed.includes(target) && !inTest)
    return [{ rule: "layers", text: `${pack.name} may not import ${target}` }];
  if (deep.includes("src") || deep.some((part) => part.endsWith(".ts")))
    return [{ rule: "deep-import", text: `${item.from}: only what ${target} exports` }];
  return [];
}
