import { newId, systemClock, toRfc3339 } from "@remit/kernel";
import { AuditEventBody, AuditPage, AuditVerification } from "@remit/protocol/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "./client.ts";
import { anotherTenant } from "./fleet.ts";
import { Management } from "./management.ts";
import { adminSecret, type Running, startServer } from "./running.ts";

const scopes = "agents:read agents:write audit:read admin:orgs";

let running: Running;
let ada: Management;
let eve: Management;
let agents: string[];

const agentOf = (name: string): object => ({
  name,
  email: `${name}@example.com`,
  agentType: "screener",
  version: "1.0.0",
  capabilities: ["mail:read"],
  owner: "ada",
  deploymentEnv: "production",
});

beforeAll(async () => {
  running = await startServer();
  const other = await anotherTenant(running);
  ada = new Management(running, adminSecret, scopes);
  eve = new Management(other, other.adminSecret, scopes);
  agents = [];
  for (const name of ["one", "two", "three"]) {
    const { body, status } = await ada.call("POST", "/api/v1/agents", agentOf(name));
    if (status !== 201) throw new Error(JSON.stringify(body));
    agents.push(String(body["agentId"]));
  }
  await ada.call("POST", `/api/v1/agents/${agents[0]}/suspend`);
  await ada.call("POST", `/api/v1/agents/${agents[0]}/credentials`, {});
  // Every entry has its place once the log was verified.
  await ada.call("GET", "/api/v1/audit/verify");
});
afterAll(() => running.close());

describe("the audit log over HTTP", () => {
  const search = async (query: string): Promise<AuditPage> => {
    const { status, body } = await ada.call("GET", `/api/v1/audit?${query}`);
    expect(status, JSON.stringify(body)).toBe(200);
    return AuditPage.parse(body);
  };
  const eventsOf = async (query: string): Promise<string[]> =>
    (await search(query)).data.map(({ event }) => event);

  test("is searched by action (ours, a whole noun, or the AgentIdP API's), outcome, agent and time", async () => {
    expect(await eventsOf("action=agent.created")).toEqual(Array(3).fill("agent.registered"));
    expect(await eventsOf("action=agent.suspended")).toEqual(["agent.suspended"]);
    expect(new Set(await eventsOf("action=agent.*"))).toEqual(
      new Set(["agent.registered", "agent.suspended"]),
    );
    expect(await eventsOf(`agentId=${agents[0]}`)).toEqual([
      "agent.registered",
      "agent.suspended",
      "credential.created",
    ]);
    expect(await eventsOf("action=agent.*&outcome=failure")).toEqual([]);
    expect((await eventsOf("action=agent.*&outcome=success")).length).toBe(4);
    const today = toRfc3339(systemClock.now()).slice(0, 10);
    expect((await eventsOf(`action=agent.*&fromDate=${today}&toDate=${today}`)).length).toBe(4);
    expect(await eventsOf("action=agent.*&toDate=2020-01-01")).toEqual([]);
  });

  test("goes on from a cursor, oldest first, and by pages, newest first, with their total", async () => {
    const first = await search("action=agent.*&limit=3");
    expect(first.next_cursor).not.toBeNull();
    const second = await search(`action=agent.*&limit=3&cursor=${first.next_cursor}`);
    const all = [...first.data, ...second.data].map(({ seq }) => seq);
    expect(all).toEqual(all.toSorted((a, b) => a - b));
    const pages = [
      await search("action=agent.*&limit=3&page=1"),
      await search("action=agent.*&limit=3&page=2"),
    ];
    expect(pages.map(({ total }) => total)).toEqual([4, 4]);
    expect(pages.flatMap(({ data }) => data.map(({ seq }) => seq))).toEqual(all.toReversed());
  });

  test.each([
    ["an unknown member", "actor=x", "invalid_request"],
    ["an action that there is not", "action=agent.exploded", "invalid_request"],
    ["what is not recorded one by one", "action=token.introspected", "invalid_request"],
    ["a time that ends before it begins", "fromDate=2026-01-02&toDate=2026-01-01", "invalid_date_range"],
    ["what is no date", "fromDate=yesterday", "invalid_request"],
    ["a page too far", "page=101&limit=100", "invalid_request"],
  ])("refuses %s", async (_what, query, code) => {
    expect(await ada.call("GET", `/api/v1/audit?${query}`)).toMatchObject({ status: 400, body: { code } });
  });

  test("tells one entry with its leaf, in the AgentIdP API's words too", async () => {
    const [entry] = (await search(`agentId=${agents[0]}&limit=1`)).data;
    const { body } = await ada.call("GET", `/api/v1/audit/${String(entry?.["id"])}`);
    expect(AuditEventBody.parse(body)).toMatchObject({
      action: "agent.created",
      outcome: "success",
      agentId: agents[0],
      organizationId: running.tenant,
      entry,
    });
  });

  test("T01 T10 shows another tenant nothing: not its entries, not one by its id, not a proof", async () => {
    const [entry] = (await search(`agentId=${agents[0]}&limit=1`)).data;
    const theirs = await eve.call("GET", `/api/v1/audit/${String(entry?.["id"])}`);
    const nobodys = await eve.call("GET", `/api/v1/audit/${newId("event")}`);
    const without = ({ status, body }: Answer): object => ({ status, ...body, request_id: "" });
    expect(theirs).toMatchObject({ status: 404, body: { code: "audit_event_not_found" } });
    expect(without(theirs)).toEqual(without(nobodys));
    expect(await eve.call("GET", `/api/v1/audit?agentId=${agents[0]}`)).toMatchObject({ body: { data: [] } });
    const { body } = await eve.call("GET", "/api/v1/audit/range");
    expect(JSON.stringify(body)).not.toContain(running.tenant);
  });

  test("needs audit:read", async () => {
    const other = new Management(running, adminSecret, "agents:read");
    for (const path of ["", "/verify", "/range", `/${newId("event")}`])
      expect(await other.call("GET", `/api/v1/audit${path}`)).toMatchObject({
        status: 403,
        body: { code: "insufficient_scope" },
      });
  });

  test("L01 verifies, also by days, and names the entry that the database's owner changed", async () => {
    const verify = async (query = ""): Promise<AuditVerification> =>
      AuditVerification.parse((await ada.call("GET", `/api/v1/audit/verify${query}`)).body);
    const whole = await verify();
    expect(whole).toMatchObject({ verified: true, brokenAtEventId: null, checkedCount: whole.headSeq });
    const today = toRfc3339(systemClock.now()).slice(0, 10);
    expect(await verify(`?fromDate=${today}`)).toMatchObject({ verified: true, fromDate: today });
    const [entry] = (await search("action=agent.suspended")).data;
    const event = String(entry?.["id"]);
    const change = (from: string, to: string): Promise<unknown> =>
      running.database.asAdmin(`alter table audit_rows disable trigger user;
        update audit_rows set body = replace(body, '"${from}"', '"${to}"') where event_id = '${event}';
        alter table audit_rows enable trigger user; alter table audit_rows enable always trigger append_only;
        alter table audit_rows enable always trigger never_truncated`);
    await change("agent.suspended", "agent.resumed");
    expect(await verify()).toMatchObject({
      verified: false,
      brokenAtEventId: event,
      brokenAtSeq: entry?.seq,
    });
    await change("agent.resumed", "agent.suspended");
    expect(await verify()).toMatchObject({ verified: true });
  });
});
