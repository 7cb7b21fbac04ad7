import { newId, systemClock, toRfc3339 } from "@remit/kernel";
import {
  base64url,
  examineTreeCheckpoint,
  isConsistent,
  isIncluded,
  parseEvidenceKeys,
  parseJson,
  rootOf,
} from "@remit/protocol";
import {
  AccessReview,
  AuditConsistency,
  AuditEventBody,
  AuditInclusion,
  AuditPage,
  AuditVerification,
  ComplianceAgentCards,
  ComplianceControls,
  ComplianceReport,
} from "@remit/protocol/contracts";
import { settle, sha256 } from "@remit/protocol/node";
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

  test("proves an entry by its signed tree, whose tiles everybody may read and no other tenant", async () => {
    const [entry] = (await search(`agentId=${agents[0]}&limit=1`)).data;
    const path = `/api/v1/audit/${String(entry?.["id"])}/proof`;
    const proof = AuditInclusion.parse((await ada.call("GET", path)).body);
    const hash = (text: string): Uint8Array => base64url.decode(text) ?? new Uint8Array();
    const { keys } = parseEvidenceKeys(
      parseJson(await (await fetch(`${running.issuer}/.well-known/remit-keys`)).bytes()),
    );
    const origin = `${new URL(running.issuer).host}/audit/${running.tenant}`;
    const signers = keys.filter(({ purpose }) => purpose === "audit").map(({ jwk }) => jwk);
    const tree = settle(examineTreeCheckpoint(sha256, proof.checkpoint, { origin, keys: signers }));
    const { leafIndex: index, treeSize: size } = proof;
    const given = { index, size, leaf: hash(proof.leaf), hashes: proof.hashes.map(hash) };
    expect(tree.size).toBe(size);
    expect(isIncluded(sha256, { ...given, root: tree.root })).toBe(true);
    expect(isIncluded(sha256, { ...given, root: tree.root, index: index + 1 })).toBe(false);

    const note = await ada.call("GET", "/api/v1/audit/checkpoint");
    expect(note.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const signed = settle(
      examineTreeCheckpoint(sha256, String(note.body["text"]), { origin, keys: signers }),
    );
    const tile = await ada.call("GET", `/api/v1/audit/tile/0/000.p/${signed.size}`);
    expect(tile.headers.get("content-type")).toBe("application/octet-stream");
    const leaves = tile.bytes ?? new Uint8Array();
    const each = Array.from({ length: signed.size }, (_, at) => leaves.subarray(at * 32, at * 32 + 32));
    expect(Buffer.compare(rootOf(sha256, each), signed.root)).toBe(0);
    const consistent = AuditConsistency.parse(
      (await ada.call("GET", `/api/v1/audit/consistency?first=1&second=${size}`)).body,
    );
    const first = { size: 1, root: hash(consistent.firstRootHash) };
    const hashes = consistent.hashes.map(hash);
    expect(isConsistent(sha256, { first, second: { size, root: tree.root }, hashes })).toBe(true);
    expect(await eve.call("GET", path)).toMatchObject({ status: 404 });
    const theirs = await eve.call("GET", "/api/v1/audit/checkpoint");
    expect(String(theirs.body["text"])).not.toContain(running.tenant);
  });

  test.each([
    ["tile/0/000", 404, "audit_tile_not_found"],
    ["tile/0/001.p/1", 404, "audit_tile_not_found"],
    ["tile/00/000.p/1", 404, "audit_tile_not_found"],
    ["tile/0/x000/000.p/1", 404, "audit_tile_not_found"],
    ["consistency?first=0", 400, "invalid_request"],
    ["consistency?first=1000000", 400, "invalid_request"],
    ["consistency?first=2&second=1", 400, "invalid_request"],
    [`${newId("event")}/proof`, 404, "audit_event_not_found"],
    [`${newId("event")}/proof?size=x`, 400, "invalid_request"],
  ])("has no %s", async (path, status, code) => {
    expect(await ada.call("GET", `/api/v1/audit/${path}`)).toMatchObject({ status, body: { code } });
  });

  test("needs audit:read", async () => {
    const other = new Management(running, adminSecret, "agents:read");
    const proof = `/${newId("event")}/proof`;
    const tree = ["/checkpoint", "/tile/0/000", "/consistency?first=1", proof];
    for (const path of ["", "/verify", "/range", `/${newId("event")}`, ...tree])
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

describe("what an auditor asks for", () => {
  const at = "/api/v1/compliance";

  test("controls are public, found a minute ago at most, and fail where there is no TLS", async () => {
    const answer = await fetch(`${running.issuer}${at}/controls`);
    expect(answer.headers.get("cache-control")).toBe("public, max-age=60");
    const { controls } = ComplianceControls.parse(await answer.json());
    const of = (id: string) => controls.find((control) => control.id === id);
    expect(controls.map(({ id }) => id)).toEqual(["CC6.1", "CC6.7", "CC7.2", "CC9.2"]);
    expect(of("CC6.1")).toMatchObject({
      status: "passing",
      evidence: { tenantTablesWithoutForcedRowSecurity: 0, databaseRoleIsBoundByRowSecurity: true },
    });
    expect(Number(of("CC6.1")?.evidence["tenantTables"])).toBeGreaterThan(20);
    // The tests speak http, and nobody has verified these logs by the hour.
    expect(of("CC6.7")).toMatchObject({ status: "failing", evidence: { issuerScheme: "http" } });
    expect(of("CC7.2")).toMatchObject({
      status: "unknown",
      evidence: {
        logsVerified: 0,
        logsNeverVerified: expect.any(Number),
        oldestVerificationMinutesAgo: null,
      },
    });
    expect(Number(of("CC7.2")?.evidence["logsNeverVerified"])).toBeGreaterThan(0);
  });

  test("the report judges the organization's own agents and log, and counts what breaks a requirement", async () => {
    const { body } = await ada.call("GET", `${at}/report`);
    const report = ComplianceReport.parse(body);
    expect(report).toMatchObject({ agntcySpecVersion: "1.0.0", tenantId: running.tenant });
    expect(report.sections.map(({ name }) => name)).toEqual(["agent-identity", "audit-trail"]);
    const of = (id: string) =>
      report.sections.flatMap(({ requirements }) => requirements).find((one) => one.id === id);
    // Two of the three are active, and neither has a key or a credential.
    expect(of("AI-001")).toMatchObject({
      status: "non-compliant",
      evidence: { activeAgents: 2, withoutProof: 2 },
    });
    expect(of("AI-002")).toMatchObject({ status: "compliant", evidence: { withoutOwner: 0 } });
    expect(of("AT-001")).toMatchObject({ status: "compliant", evidence: { brokenAtSeq: null } });
    expect(report.overallStatus).toBe("non-compliant");
    expect((await ada.call("GET", `${at}/report`)).body["reportId"]).toBe(report.reportId);
    const { body: theirs } = await eve.call("GET", `${at}/report`);
    expect(ComplianceReport.parse(theirs)).toMatchObject({ overallStatus: expect.any(String) });
    expect(theirs["reportId"]).not.toBe(report.reportId);
  });

  test("agent cards are exported in pages, with the AgentIdP API's members", async () => {
    const first = await ada.call("GET", `${at}/agent-cards?limit=2`);
    // A list without a member around it, as the AgentIdP API has it.
    const cardsIn = ({ body }: Answer) => ComplianceAgentCards.parse(JSON.parse(String(body["text"])));
    const cards = cardsIn(first);
    expect(cards[0]).toMatchObject({
      name: "three@example.com",
      owner: "ada",
      deploymentEnv: "production",
      agentType: "screener",
    });
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
    const second = await ada.call("GET", next);
    expect(cards).toHaveLength(2);
    expect(cardsIn(second)).toHaveLength(1);
    expect(second.headers.get("link")).toBeNull();
    expect(cardsIn(await eve.call("GET", `${at}/agent-cards`))).toEqual([]);
  });

  test("the access review names members, clients, agents and credentials, in pages, as JSON and as CSV", async () => {
    const seen: string[] = [];
    for (let cursor = ""; ; ) {
      const { body } = await ada.call("GET", `${at}/access-review?limit=3${cursor}`);
      const { data, nextCursor } = AccessReview.parse(body);
      seen.push(...data.map(({ kind, id }) => `${kind} ${id}`));
      if (nextCursor === null) break;
      cursor = `&cursor=${nextCursor}`;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain(`member ${running.account}`);
    expect(seen).toContain(`client ${running.adminId}`);
    for (const agent of agents) expect(seen).toContain(`agent ${agent}`);
    expect(seen.filter((one) => one.startsWith("credential "))).toHaveLength(1);
    const csv = await ada.call("GET", `${at}/access-review?format=csv`);
    expect(csv.headers.get("content-type")).toContain("text/csv");
    const [head, ...lines] = String(csv.body["text"]).trim().split("\r\n");
    expect(head).toBe("kind,id,of,role,scopes,status,createdAt,expiresAt,lastUsedAt");
    expect(lines).toHaveLength(seen.length);
    expect((await eve.call("GET", `${at}/access-review`)).body).not.toMatchObject({
      data: expect.arrayContaining([expect.objectContaining({ id: running.adminId })]),
    });
  });

  test("all but the controls need audit:read", async () => {
    const other = new Management(running, adminSecret, "agents:read");
    for (const path of ["report", "agent-cards", "access-review"])
      expect((await other.call("GET", `${at}/${path}`)).status).toBe(403);
  });
});
