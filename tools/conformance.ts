import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

// docs/conformance.md says of each line of a standard which test shows it, or `open`. This compares the page with the
// tests: a title that no test bears, or a suite that is not there, fails the check. Several titles are parted by `<br>`.

const root = path.resolve(import.meta.dirname, "..");
const page = path.join(root, "docs/conformance.md");

function testFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const full = path.join(folder, name);
    if (name === "node_modules" || name === "dist") return [];
    if (statSync(full).isDirectory()) return testFiles(full);
    return name.endsWith(".test.ts") ? [full] : [];
  });
}

const titlePattern =
  /\b(?:test|describe|it)(?:\.(?:each|skipIf)\([\s\S]{0,8000}?\))?\(\s*(?:"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`|'((?:\\.|[^'\\])*)')/g;

function titles(): Set<string> {
  const found = new Set<string>();
  for (const file of ["packages", "services", "test"].flatMap((name) => testFiles(path.join(root, name))))
    for (const [, double, back, single] of readFileSync(file, "utf8").matchAll(titlePattern))
      found.add((double ?? back ?? single ?? "").replace(/\\(.)/g, "$1"));
  return found;
}

type Line = { readonly number: number; readonly cell: string };

/** The last cell of every row of a table on the page, without the rows that are a table's head. */
function lines(): Line[] {
  return readFileSync(page, "utf8")
    .split("\n")
    .map((text, index) => ({ text, number: index + 1 }))
    .filter(({ text }) => text.startsWith("| ") && !text.endsWith("| test |") && !text.startsWith("|--"))
    .map(({ text, number }) => ({ number, cell: (text.split(/(?<!\\)\|/).at(-2) ?? "").trim() }));
}

const known = titles();
const isShown = (name: string): boolean =>
  name.startsWith(".ci/") ? existsSync(path.join(root, name)) : known.has(name);

const rows = lines();
const open = rows.filter(({ cell }) => cell === "open");
let missing = 0;
for (const { number, cell } of rows)
  for (const name of cell === "open" ? [] : cell.replaceAll("\\|", "|").split("<br>"))
    if (!isShown(name)) {
      missing += 1;
      process.stdout.write(`docs/conformance.md:${number}: no test is called "${name}"\n`);
    }
process.stdout.write(`conformance: ${rows.length - open.length} of ${rows.length} lines have a test\n`);
if (missing > 0) process.exitCode = 1;
