import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { migrations } from "@remit/authorization-server";
import { StartRefused } from "@remit/platform/host";
import { eventually, startProcess, testDatabase } from "@remit/testkit";
import { expect, test } from "vitest";
import { readBootstrap } from "../src/bootstrap-file.ts";
import { freePort } from "./running.ts";

const newSecret = (): string => randomBytes(32).toString("base64url");
const beginning = {
  tenant: { name: "Acme" },
  principal: { email: "ada@example.com", name: "Ada", password: "correct horse battery staple" },
  admin: { client_secret: newSecret() },
  operator: { client_secret: newSecret() },
};

/** What the management clients get at the token endpoint, by the ids that the program logged. */
async function enter(issuer: string, output: string): Promise<number[]> {
  const line = output.split("\n").find((text) => text.includes("the installation is set up")) ?? "{}";
  const said = JSON.parse(line) as { admin?: string; operator?: string }; // a line of our log
  const statuses = [
    [said.admin, beginning.admin.client_secret, "audit:read"],
    [said.operator, beginning.operator.client_secret, "admin:orgs"],
    [said.admin, newSecret(), "audit:read"],
  ].map(async ([id = "", secret = "", scope = ""]) => {
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      scope,
      client_id: id,
      client_secret: secret,
    });
    return (await fetch(`${issuer}/oauth/token`, { method: "POST", body })).status;
  });
  return Promise.all(statuses);
}

test("as a program of its own it migrates, serves, keeps its keys over a kill, and stops when told", async () => {
  const database = await testDatabase({ service: "authorization_server", sources: migrations });
  const dataDir = await mkdtemp(path.join(tmpdir(), "remit-as-"));
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const kids = async (): Promise<string[]> => {
    const { keys } = Object(await (await fetch(`${issuer}/oauth/jwks.json`)).json());
    return (keys as { kid: string }[]).map(({ kid }) => kid);
  };
  try {
    const bootstrapFile = path.join(dataDir, "bootstrap.json");
    await writeFile(bootstrapFile, JSON.stringify(beginning), { mode: 0o600 });
    const first = await startProcess({
      main: fileURLToPath(new URL("../src/main.ts", import.meta.url)),
      env: {
        NODE_ENV: "test",
        DATABASE_URL: database.url,
        MIGRATION_DATABASE_URL: database.migrationUrl,
        REMIT_ORIGIN: issuer,
        REMIT_ISSUER: issuer,
        REMIT_PORT: String(port),
        REMIT_SCHEMA: database.schema,
        REMIT_ROLE_APP: database.roles.app,
        REMIT_ROLE_RELAY: database.roles.relay,
        REMIT_ROLE_LOOKUP: database.roles.lookup,
        REMIT_ROLE_OWNER: database.ownerRole,
        REMIT_BOOTSTRAP_FILE: bootstrapFile,
        REMIT_DATA_DIR: dataDir,
        REMIT_BILLING_ORIGIN: "http://localhost:1",
        REMIT_DIRECTORY_ORIGIN: "http://localhost:1",
      },
      readyWhen: /listening/,
    });
    const before = await kids();
    expect(await enter(issuer, first.output())).toEqual([200, 200, 401]);
    for (const { client_secret: secret } of [beginning.admin, beginning.operator])
      expect(first.output()).not.toContain(secret);
    expect(before.length).toBeGreaterThanOrEqual(7);
    await first.kill();
    const second = await first.restart();
    expect(await kids()).toEqual(before);
    expect(await enter(issuer, second.output())).toEqual([200, 200, 401]);
    expect((await fetch(`${issuer}/readyz`)).status).toBe(200);
    expect(await second.kill("SIGTERM")).toMatchObject({ code: 0 });
    await eventually(async () => expect(fetch(`${issuer}/livez`)).rejects.toThrow());
  } finally {
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  }
});

test.each([
  ["is not there", undefined],
  ["is no JSON", "tenant"],
  ["leaves out the operator", JSON.stringify({ ...beginning, operator: undefined })],
  [
    "has a secret that could be guessed",
    JSON.stringify({ ...beginning, admin: { client_secret: "secret" } }),
  ],
  ["has a member that nobody knows", JSON.stringify({ ...beginning, admins: [] })],
])(
  "a file that says what an installation begins with and %s is refused, without a word of what it holds",
  async (_, text) => {
    const dataDir = await mkdtemp(path.join(tmpdir(), "remit-as-"));
    try {
      const file = path.join(dataDir, "bootstrap.json");
      if (text !== undefined) await writeFile(file, text);
      const refusal: unknown = await readBootstrap(file).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(StartRefused);
      for (const secret of [beginning.operator.client_secret, beginning.principal.password])
        expect(String(refusal)).not.toContain(secret);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);
