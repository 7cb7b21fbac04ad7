import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import {
  adminToken,
  callAsAdmin,
  metadataFor,
  newClient,
  type OAuthClient,
  register,
  setupToken,
} from "./client.ts";
import { exchange, obtainCode } from "./consent.ts";
import { newKeys, type Running, startServer } from "./running.ts";

// The database answers and takes nothing more: it was failed over to a copy, or its disk is full.
let running: Running;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  agent = await newClient(running, "agent");
});
afterAll(() => running.close());

/** Turns the database read-only for the server, or writable again. */
async function turn(readOnly: "on" | "off"): Promise<void> {
  const { database } = running;
  await database.asAdmin(`do $$ begin execute format('alter role %I in database %I set default_transaction_read_only = ${readOnly}',
    '${database.roles.app}', current_database()); end $$`);
  await database.asAdmin(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
}

/** Makes every row of the audit log fail as on a full disk. */
async function fillDisk(): Promise<void> {
  const { database } = running;
  await database.asAdmin(`create function disk_full() returns trigger language plpgsql as $$
    begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$`);
  await database.asAdmin(
    "create trigger disk_full before insert on audit_rows for each row execute function disk_full()",
  );
}

async function emptyDisk(): Promise<void> {
  await running.database.asAdmin("drop trigger disk_full on audit_rows");
  await running.database.asAdmin("drop function disk_full()");
}

const entriesOf = async (event: string): Promise<number> => {
  const [row] = await running.database.asAdmin<{ count: number }>(
    "select count(*)::int as count from audit_rows where event = $1",
    [event],
  );
  return row?.count ?? 0;
};

const wanted = (): { resource: string; scope: string } => ({
  resource: running.issuer,
  scope: "oid4ac:payment",
});

describe.each([
  ["a database that has become read-only", () => turn("on"), () => turn("off")],
  ["a disk that is full when the audit entry is written", fillDisk, emptyDisk],
])("D03 %s", (_, begin, end) => {
  test("gives no token and takes no code: 503 with Retry-After, and what was not used is good afterwards", async () => {
    const consented = await obtainCode(running, agent);
    const kept = await agent.credentials(wanted());
    expect(kept.status).toBe(200);
    await begin();
    const [issuedBefore, answers] = [
      await entriesOf("token.issued"),
      [await agent.credentials(wanted()), await adminToken(running)],
    ];
    for (const { status, headers, body } of answers) {
      expect(status).toBe(503);
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
      expect(body["access_token"]).toBeUndefined();
    }
    expect((await fetch(`${running.issuer}/livez`)).status).toBe(200);
    await end();
    expect(await entriesOf("token.issued")).toBe(issuedBefore);
    await eventually(async () => expect((await agent.credentials(wanted())).status).toBe(200));
    expect((await exchange(agent, consented)).status).toBe(200);
  });

  test("registers nobody and leaves no gap in the log", async () => {
    const token = await setupToken(running, "agent");
    const registered = await entriesOf("agent.registered");
    const held = await adminToken(running);
    await begin();
    const key = agent.keys.dpop;
    const metadata = metadataFor(newKeys());
    expect((await register(running, token, metadata)).status).toBe(503);
    const suspended = await callApi(running, {
      token: String(held.body["access_token"]),
      key,
      scheme: "Bearer",
      method: "POST",
      path: `/api/v1/agents/${agent.id}/suspend`,
    });
    expect(suspended.status).toBe(503);
    await end();
    expect(await entriesOf("agent.registered")).toBe(registered);
    await eventually(async () => {
      const { body } = await callAsAdmin(running, { method: "GET", path: `/api/v1/agents/${agent.id}` });
      expect(body["status"]).toBe("active");
    });
    // The setup token was not used up by what failed.
    expect((await register(running, token, metadata)).status).toBe(201);
  });
});
