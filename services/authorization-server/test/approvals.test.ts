import { type Id, newId } from "@remit/kernel";
import { setFailpoint } from "@remit/platform/failpoint";
import { sql } from "@remit/platform/sql";
import { eventually } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { approvalsOf, askPerson, newAgent, openWallet, pollPerson, type Wallet } from "./asking.ts";
import { type Answer, type OAuthClient } from "./client.ts";
import { mandateRequest, shop } from "./consent.ts";
import { type Running, startServer } from "./running.ts";

const stranger = { email: "eve@example.com", name: "Eve", password: "another long and good password" };

let running: Running;
let wallet: Wallet;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  wallet = await openWallet(running);
  agent = await newAgent(running);
});
afterEach(() => setFailpoint(undefined));
afterAll(() => running.close());

/** A question that waits, and the request it answers. */
async function ask(more: Record<string, string> = {}): Promise<{ asked: Answer; id: string }> {
  const asked = await askPerson(agent, more);
  const [waiting] = await approvalsOf(wallet, "pending");
  return { asked, id: String(waiting?.["id"]) };
}

const send = (id: string, verb: "approve" | "deny", more: { idempotencyKey?: string; body?: object } = {}) =>
  wallet.send({ method: "POST", path: `/api/v1/approvals/${id}/${verb}`, ...more });

async function countOf(table: "mandates" | "oauth_grants"): Promise<number> {
  const [row] = await running.database.asAdmin(`select count(*)::int as count from ${table}`);
  return Number(Object(row).count);
}

describe("a question", () => {
  test("G03 is shown by what was asked and by nothing else, with the agent's words apart", async () => {
    const { id } = await ask({ binding_message: "Order 4711" });
    const { body } = await wallet.send({ path: `/api/v1/approvals/${id}` });
    expect(body).toMatchObject({
      kind: "mandate",
      status: "pending",
      agent: { id: agent.id, name: "Test agent" },
      binding_message: "Order 4711",
      asks: {
        amount_minor: mandateRequest.amount_minor,
        currency: "EUR",
        per_charge_minor: 10_000,
        merchants: [shop],
        purpose: mandateRequest.purpose,
        resources: [shop],
      },
      answered_at: null,
      mandate_id: null,
    });
    expect(JSON.stringify(Object(body["asks"]).sentences)).toContain("500.00 EUR");
    expect(JSON.stringify(Object(body["asks"]).sentences)).not.toContain("4711");
    await send(id, "deny");
  });

  test("is listed newest first, by page and by status", async () => {
    const first = await ask();
    const second = await ask();
    const page = await wallet.send({ path: "/api/v1/approvals?status=pending&limit=1" });
    expect(page.body["data"]).toMatchObject([{ id: second.id }]);
    const next = await wallet.send({
      path: `/api/v1/approvals?status=pending&limit=1&cursor=${String(page.body["next_cursor"])}`,
    });
    expect(next.body).toMatchObject({ data: [{ id: first.id }], next_cursor: null });
    for (const { id } of [first, second])
      await send(id, "deny", { body: { reason: "I did not ask for this." } });
    expect(await approvalsOf(wallet, "pending")).toEqual([]);
    const sealed = await running.database.asAdmin(
      `select encode(sealed_answer, 'escape') as text from approvals where id = '${first.id}'`,
    );
    expect(JSON.stringify(sealed)).not.toContain("did not ask");
  });

  test.each(["?limit=0", "?limit=101", "?cursor=apv_1", "?status=won", "?tenant=1"])(
    "V07 a page %s is none",
    async (query) => {
      expect((await wallet.send({ path: `/api/v1/approvals${query}` })).status).toBe(400);
    },
  );

  test("T01 of another tenant is as one that never was, for reading and for answering", async () => {
    await running.service.bootstrap({
      tenant: { name: "Eve's" },
      principal: stranger,
      admin: { clientSecret: "another-admin-secret-of-many-random-bits-01234" },
    });
    const theirs = await openWallet(running, stranger);
    const { id } = await ask();
    const unknown = newId("approval");
    for (const verb of ["", "/approve", "/deny"]) {
      const method = verb === "" ? "GET" : "POST";
      const [foreign, none] = await Promise.all(
        [id, unknown].map((one) => theirs.send({ method, path: `/api/v1/approvals/${one}${verb}` })),
      );
      const { request_id: _, ...body } = Object(foreign?.body);
      expect({ status: foreign?.status, body }).toMatchObject({ status: 404, body: { code: "not_found" } });
      expect(none?.body).toMatchObject(body);
    }
    expect(await approvalsOf(theirs)).toEqual([]);
    const token = String((await agent.credentials({ resource: running.issuer })).body["access_token"]);
    const asAgent = await callApi(running, { token, key: agent.keys.dpop, path: `/api/v1/approvals/${id}` });
    expect(asAgent.status).toBe(403);
    await send(id, "deny");
  });

  test("what was asked, and an answer, do not change in the database either", async () => {
    const { id } = await ask();
    const change = (set: string) =>
      running.database.asAdmin(`update approvals set ${set} where id = '${id}'`);
    await expect(change("subject = '{}'")).rejects.toThrow(/does not change/);
    await expect(change("holder_thumbprint = 'x'")).rejects.toThrow(/does not change/);
    await send(id, "deny");
    await expect(change("state = 'approved'")).rejects.toThrow(/final/);
  });
});

describe("C11 there is one answer", () => {
  test("C11 approve and deny at once: one of them, and the agent hears that one", async () => {
    const mandatesBefore = await countOf("mandates");
    let given = 0;
    for (let round = 0; round < 6; round++) {
      const { asked, id } = await ask();
      const verbs = round % 2 === 0 ? (["approve", "deny"] as const) : (["deny", "approve"] as const);
      const answers = await Promise.all(verbs.map((verb) => send(id, verb)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
      const won = answers.find(({ status }) => status === 200)?.body["status"];
      const lost = answers.find(({ status }) => status === 409);
      expect(lost?.body).toMatchObject({ code: "approval_answered", answer: won });
      const polled = await pollPerson(agent, asked);
      expect(polled.body["error"]).toBe(won === "denied" ? "access_denied" : undefined);
      if (won === "approved") given += 1;
    }
    expect(await countOf("mandates")).toBe(mandatesBefore + given);
  });

  test("C11 approve on ten devices at once: one mandate, and all are told the same", async () => {
    const { asked, id } = await ask();
    const before = [await countOf("mandates"), await countOf("oauth_grants")];
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(id, "approve")));
    expect(new Set(answers.map(({ status, body }) => `${status} ${String(body["mandate_id"])}`)).size).toBe(
      1,
    );
    expect(answers[0]?.status).toBe(200);
    expect([await countOf("mandates"), await countOf("oauth_grants")]).toEqual(
      before.map((count) => count + 1),
    );
    expect((await pollPerson(agent, asked)).body["mandate_id"]).toBe(answers[0]?.body["mandate_id"]);
  });

  test("an answer stays: approved again is the same, denied after that is refused, and the other way round", async () => {
    const yes = await ask();
    const mandate = (await send(yes.id, "approve")).body["mandate_id"];
    expect((await send(yes.id, "approve")).body["mandate_id"]).toBe(mandate);
    expect((await send(yes.id, "deny")).status).toBe(409);
    const no = await ask();
    expect((await send(no.id, "deny")).status).toBe(200);
    expect((await send(no.id, "deny")).status).toBe(200);
    expect((await send(no.id, "approve")).status).toBe(409);
  });

  test("C06 one Idempotency-Key gets one answer again, and another body refused", async () => {
    const { id } = await ask();
    const idempotencyKey = "answer-1";
    const first = await send(id, "deny", { idempotencyKey, body: { reason: "no" } });
    const again = await send(id, "deny", { idempotencyKey, body: { reason: "no" } });
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect((await send(id, "deny", { idempotencyKey, body: { reason: "other" } })).status).toBe(422);
    expect((await send(id, "deny", { idempotencyKey: "", body: {} })).status).toBe(400);
    expect((await send(id, "deny", { body: { reason: "a\u0000b" } })).status).toBe(400);
    expect((await send(id, "deny", { body: { because: "x" } })).status).toBe(400);
  });
});

describe("a crash leaves nothing half", () => {
  test("C11 before the commit: no mandate, no grant, no answer, and the question still waits", async () => {
    const { asked, id } = await ask();
    const before = [await countOf("mandates"), await countOf("oauth_grants")];
    setFailpoint({ name: "approval.granted", does: "error" });
    expect((await send(id, "approve")).status).toBe(500);
    expect([await countOf("mandates"), await countOf("oauth_grants")]).toEqual(before);
    expect((await wallet.send({ path: `/api/v1/approvals/${id}` })).body["status"]).toBe("pending");
    expect((await pollPerson(agent, asked)).body["error"]).toBe("authorization_pending");
    expect((await send(id, "approve")).status).toBe(200);
    expect((await pollPerson(agent, asked)).status).toBe(200);
  });

  test("C11 after the commit: everything is there, and saying yes again finds it", async () => {
    const { asked, id } = await ask();
    const before = await countOf("mandates");
    setFailpoint({ name: "approval.answered", does: "error" });
    const idempotencyKey = "crashed-1";
    expect((await send(id, "approve", { idempotencyKey })).status).toBe(500);
    const again = await send(id, "approve", { idempotencyKey });
    expect(again).toMatchObject({ status: 200, body: { status: "approved" } });
    expect(await countOf("mandates")).toBe(before + 1);
    expect((await pollPerson(agent, asked)).body["mandate_id"]).toBe(again.body["mandate_id"]);
  });
});

test("an agent that was suspended after it asked is not given anything", async () => {
  const { asked, id } = await ask();
  await running.database.asAdmin(
    `update agent_standings set status = 'suspended' where agent_id = '${agent.id}'`,
  );
  expect(await send(id, "approve")).toMatchObject({ status: 403, body: { code: "agent_suspended" } });
  await running.database.asAdmin(
    `update agent_standings set status = 'active' where agent_id = '${agent.id}'`,
  );
  expect((await send(id, "approve")).status).toBe(200);
  expect((await pollPerson(agent, asked)).status).toBe(200);
});

test("an agent whose key changed after it asked is not given anything", async () => {
  const { id } = await ask();
  const change = (to: string) =>
    running.database.asAdmin(
      `update agents set dpop_thumbprint = '${to}' where id = '${agent.id}' returning id`,
    );
  const [kept] = await running.database.asAdmin(
    `select dpop_thumbprint as kept from agents where id = '${agent.id}'`,
  );
  await change("another");
  expect(await send(id, "approve")).toMatchObject({ status: 409, body: { code: "approval_expired" } });
  await change(String(Object(kept).kept));
  expect((await send(id, "deny")).status).toBe(200);
});

describe("C11 what changes between the reading of a question and its answer", () => {
  const lockWaits = async (): Promise<number> => {
    const found = await running.database.asAdmin(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return found.length;
  };
  /** Works while nobody can answer this question; whoever tries waits, in the order in which they came. */
  async function whileHeld<T>(id: string, work: () => Promise<T>): Promise<T> {
    const db = running.database.open();
    try {
      // An id that the server itself made.
      return await db.of(running.tenant as Id<"tenant">).transaction(async (tx) => {
        await tx.run(sql`select 1 from approvals where id = ${id} for update`);
        return work();
      });
    } finally {
      await db.close();
    }
  }
  /** Until so many wait for a lock: they have read what they read before it. */
  const waiting = (count: number) => eventually(async () => expect(await lockWaits()).toBe(count));

  test("C11 a yes goes to the request that waits when it is taken, never to one that is over", async () => {
    const words = { binding_message: "Asked twice" };
    const { asked: first, id } = await ask(words);
    const sent = await whileHeld(id, async () => {
      const again = askPerson(agent, words);
      await waiting(1);
      const yes = send(id, "approve");
      await waiting(2);
      return { again, yes };
    });
    const [second, yes] = [await sent.again, await sent.yes];
    expect(yes).toMatchObject({ status: 200, body: { status: "approved", times_asked: 2 } });
    expect((await pollPerson(agent, first)).body["error"]).toBe("expired_token");
    expect((await pollPerson(agent, second)).body["mandate_id"]).toBe(yes.body["mandate_id"]);
  });

  test.each([
    ["status", "suspended", 403, "agent_suspended"],
    ["dpop_thumbprint", "another", 409, "approval_expired"],
  ])("C11 an agent whose %s becomes %s is given nothing", async (column, to, status, code) => {
    const { id } = await ask();
    const before = await countOf("mandates");
    const [kept] = await running.database.asAdmin(
      `select ${column} as was from agent_standings where agent_id = '${agent.id}'`,
    );
    const change = (value: string) =>
      running.database.asAdmin(`update agent_standings set ${column} = $1 where agent_id = $2`, [
        value,
        agent.id,
      ]);
    const sent = await whileHeld(id, async () => {
      const yes = send(id, "approve");
      await waiting(1);
      await change(to);
      return { yes };
    });
    const answer = await sent.yes;
    await change(String(Object(kept).was));
    expect(answer).toMatchObject({ status, body: { code } });
    expect(await countOf("mandates")).toBe(before);
    expect((await wallet.send({ path: `/api/v1/approvals/${id}` })).body["status"]).toBe("pending");
    await send(id, "deny");
  });
});
