import { eventually } from "@remit/testkit";
import { expect, test } from "vitest";
import { callApi } from "./api.ts";
import { askingForm, askPerson } from "./asking.ts";
import { newClient } from "./client.ts";
import { startServer } from "./running.ts";

test("D01 with the database away every door says 503 and when to come back, and all is well again after", async () => {
  const running = await startServer();
  try {
    const agent = await newClient(running, "agent");
    const wanted = { resource: running.issuer, scope: "oid4ac:payment" };
    const token = String((await agent.credentials(wanted)).body["access_token"]);
    const key = agent.keys.dpop;
    expect((await callApi(running, { token, key })).status).toBe(200);
    await running.database.asAdmin(
      "do $$ begin execute format('alter database %I connection limit 0', current_database()); end $$",
    );
    await running.database.asAdmin(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    const answers = [
      await agent.credentials(wanted),
      await callApi(running, { token, key }),
      await agent.post("/oauth/device", askingForm()),
      await askPerson(agent),
    ];
    for (const { status, headers } of answers) {
      expect(status).toBe(503);
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect((await fetch(`${running.issuer}/livez`)).status).toBe(200);
    expect((await fetch(`${running.issuer}/readyz`)).status).toBe(503);
    await running.database.asAdmin(
      "do $$ begin execute format('alter database %I connection limit -1', current_database()); end $$",
    );
    await eventually(async () => expect((await callApi(running, { token, key })).status).toBe(200));
    expect((await agent.credentials(wanted)).status).toBe(200);
  } finally {
    await running.close();
  }
});
