import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const file = path.join(root, "docs/faults.md");

/** Groups of the fault catalogue and how many faults each has: 165 in all. */
const groups: readonly (readonly [letter: string, title: string, count: number])[] = [
  ["M", "Crashes on the money path", 22],
  ["C", "Races", 18],
  ["V", "Bad input", 12],
  ["O", "Offers, mandates, key bindings", 13],
  ["A", "Authentication and OAuth", 20],
  ["T", "Tenant isolation", 12],
  ["G", "Agents led astray", 12],
  ["W", "Webhooks and outbound requests", 14],
  ["L", "Tampering with the audit log", 14],
  ["K", "Keys and clocks", 9],
  ["D", "Outages of what we depend on", 12],
  ["R", "Ledger and reconciliation", 7],
];

type Found = { readonly title: string; readonly file: string };

function testFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const full = path.join(folder, name);
    if (name === "node_modules" || name === "dist") return [];
    if (statSync(full).isDirectory()) return testFiles(full);
    return name.endsWith(".test.ts") ? [full] : [];
  });
}

/** Titles of tests that begin with a fault's id, such as `test("M09 …")` or `describe("V10 …")`. */
function collect(): Map<string, Found[]> {
  const found = new Map<string, Found[]>();
  for (const full of ["packages", "services", "test"].flatMap((folder) =>
    testFiles(path.join(root, folder)),
  )) {
    for (const [, title = ""] of readFileSync(full, "utf8").matchAll(
      /\b(?:test|describe|it)(?:\.each\([\s\S]{0,4000}?\)|\.concurrent)?\(\s*["'`]((?:[A-Z]\d\d[ ,/]+)+[^"'`\n]*)/g,
    )) {
      const [ids = ""] = /^(?:[A-Z]\d\d[ ,/]+)+/.exec(title) ?? [];
      for (const [id] of ids.matchAll(/[A-Z]\d\d/g))
        found.set(id, [
          ...(found.get(id) ?? []),
          { title: title.slice(ids.length).trim(), file: path.relative(root, full) },
        ]);
    }
  }
  return found;
}

function page(found: ReadonlyMap<string, readonly Found[]>): string {
  const ids = groups.flatMap(([letter, , count]) => idsOf(letter, count));
  const tested = ids.filter((id) => found.has(id)).length;
  const lines = [
    "# Faults",
    "",
    "What Remit must survive, and the test that shows it does. Made by `node tools/faults.ts` from the titles of the tests;",
    "the check fails when this page is out of date. An id without a test is open: not built or not shown yet.",
    "",
    `${tested} of ${ids.length} have a test.`,
  ];
  for (const [letter, title, count] of groups) {
    lines.push("", `## ${letter}. ${title}`, "", "| id | test | file |", "|---|---|---|");
    for (const id of idsOf(letter, count)) {
      const tests = found.get(id) ?? [];
      if (tests.length === 0) lines.push(`| ${id} | open | |`);
      for (const test of tests) lines.push(`| ${id} | ${test.title.replaceAll("|", "\\|")} | ${test.file} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const idsOf = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${letter}${String(i + 1).padStart(2, "0")}`);

const wanted = page(collect());
if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== wanted) {
    process.stdout.write("docs/faults.md is out of date: run node tools/faults.ts\n");
    process.exitCode = 1;
  }
} else writeFileSync(file, wanted);
