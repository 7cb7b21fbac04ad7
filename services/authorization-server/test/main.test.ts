import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { migrations } from "@remit/authorization-server";
import { eventually, startProcess, testDatabase } from "@remit/testkit";
import { expect, test } from "vitest";
import { freePort } from "./running.ts";

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
        REMIT_DATA_DIR: dataDir,
        REMIT_BILLING_ORIGIN: "http://localhost:1",
        REMIT_DIRECTORY_ORIGIN: "http://localhost:1",
      },
      readyWhen: /listening/,
    });
    const before = await kids();
    expect(before.length).toBeGreaterThanOrEqual(7);
    await first.kill();
    const second = await first.restart();
    expect(await kids()).toEqual(before);
    expect((await fetch(`${issuer}/readyz`)).status).toBe(200);
    expect(await second.kill("SIGTERM")).toMatchObject({ code: 0 });
    await eventually(async () => expect(fetch(`${issuer}/livez`)).rejects.toThrow());
  } finally {
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  }
});
