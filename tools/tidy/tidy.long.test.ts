import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tidy } from "./tidy.ts";

const root = path.resolve(import.meta.dirname, "../..");
const parts = [
  "packages/kernel",
  "packages/protocol",
  "packages/platform",
  "services/directory",
  "services/billing",
];
let copy = "";

beforeAll(() => {
  copy = mkdtempSync(path.join(tmpdir(), "remit-tidy-"));
  for (const part of parts)
    cpSync(path.join(root, part), path.join(copy, part), {
      recursive: true,
      filter: (file) => !/\/(dist|node_modules)(\/|$)/.test(file),
    });
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** The rules that a planted file breaks, on a copy of the real tree. */
function planted(file: string, text: string): string[] {
  const full = path.join(copy, file);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
  const rules = tidy(copy)
    .filter((finding) => finding.file === file)
    .map(({ rule }) => rule);
  rmSync(full);
  return rules;
}

describe("tidy fails on", () => {
  test("a layer breach: kernel uses protocol", () => {
    expect(planted("packages/kernel/src/plant.ts", 'import "@remit/protocol";\n')).toContain("layers");
  });

  test("a service that imports another service", () => {
    expect(planted("services/billing/src/plant.ts", 'import "@remit/directory";\n')).toContain("layers");
  });

  test("a relative path into another package", () => {
    expect(planted("packages/protocol/src/plant.ts", 'import "../../kernel/src/ids.ts";\n')).toContain(
      "layers",
    );
  });

  test("a deep import past a package's exports", () => {
    expect(planted("services/billing/src/plant.ts", 'import "@remit/platform/src/sql/pool.ts";\n')).toContain(
      "deep-import",
    );
  });

  test("an import past another room's face", () => {
    expect(planted("services/billing/src/plants/plant.ts", 'import "../ledger/ledger.ts";\n')).toContain(
      "rooms",
    );
  });

  test("an undeclared dependency", () => {
    expect(planted("packages/protocol/src/plant.ts", 'import "fastify";\n')).toContain("undeclared");
  });

  test("a vendor client outside its door", () => {
    expect(planted("services/billing/src/ledger/plant.ts", 'import "stripe";\n')).toContain("doors");
  });

  test.each([
    "Date.now()",
    "new Date()",
    "Math.random()",
    "process.env.X",
    'fetch("x")',
    "setTimeout(f, 1)",
    'console.log("x")',
    "crypto.randomUUID()",
  ])("the reserved call %s outside its door", (call) => {
    expect(
      planted(
        "services/billing/src/plants/plant.ts",
        `export const x = () => ${call};\ndeclare const f: () => void;\n`,
      ),
    ).toContain("reserved-call");
  });

  test("SQL outside a .sql.ts file", () => {
    expect(
      planted(
        "services/billing/src/plants/plant.ts",
        'import { sql } from "@remit/platform/sql";\nexport const x = sql`select 1`;\n',
      ),
    ).toContain("roles");
  });

  test("a relative import that ends in .js", () => {
    expect(planted("services/billing/src/plants/plant.ts", 'import "./other.js";\n')).toContain(
      "relative-js",
    );
  });

  test("a file that nothing leads to", () => {
    expect(planted("services/billing/src/plants/plant.ts", "export const x = 1;\n")).toContain("dead");
  });

  test("a name that says nothing", () => {
    expect(planted("services/billing/src/plants/plant-utils.ts", "export const x = 1;\n")).toContain("names");
  });

  test("a function beyond a screen and more than three parameters", () => {
    const body = Array.from({ length: 62 }, (_, i) => `  a += ${i};`).join("\n");
    const rules = planted(
      "services/billing/src/plants/plant.ts",
      `export function f(a: number, b: number, c: number, d: number) {\n${body}\n}\n`,
    );
    expect(rules.filter((rule) => rule === "size")).toHaveLength(2);
  });
});

test("tidy allows time where time is made, and tests to use the testkit", () => {
  expect(
    planted("packages/kernel/src/time.test.ts", 'import "vitest";\nexport const x = Date.now();\n'),
  ).toEqual([]);
  expect(planted("services/billing/test/plant.test.ts", 'import "@remit/testkit";\n')).toEqual([]);
});
