import { newId, secondMs } from "@remit/kernel";
import { statusAt } from "@remit/protocol";
import { generateJwk, verifyStatusList } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Api,
  agentOf,
  merchantOf,
  openApi,
  type Request,
  type Sent,
  sellerOf,
  walletOf,
} from "./charging/api.ts";
import { createWorld, giveMandate, issuer, newAgent, purchase, type World } from "./charging/world.ts";

let world: World;
let api: Api;
beforeAll(async () => {
  world = await createWorld();
  api = await openApi(world);
});
afterAll(async () => {
  await api.close();
  await world.close();
});

type Mandate = Awaited<ReturnType<typeof giveMandate>>;
const post = (path: string, body: unknown, more: Partial<Request> = {}): Promise<Sent> =>
  api.send({ as: merchantOf(world), method: "POST", path, body, ...more });
const buy = (mandate: Mandate, more: Partial<Parameters<typeof purchase>[1]> = {}) =>
  post("/api/v1/charges", purchase(world, { mandate, ...more }));

describe("the charge API", () => {
  test("a charge, its capture and its receipt, as the merchant and as the payer see them", async () => {
    const mandate = await giveMandate(world);
    const made = await buy(mandate);
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      status: "authorized",
      mandate_id: mandate.id,
      amount_minor: 1_000,
      livemode: false,
    });
    const path = `/api/v1/charges/${String(made.body["id"])}`;
    const captured = await post(`${path}/capture`, { response_digest: "r".repeat(43) });
    expect(captured).toMatchObject({ status: 200, body: { status: "captured", captured_minor: 1_000 } });
    for (const as of [merchantOf(world), walletOf(world)]) {
      const read = await api.send({ as, path });
      expect(read.body).toMatchObject({ status: "captured", receipt: captured.body["receipt"] });
      const list = await api.send({ as, path: "/api/v1/charges?limit=1" });
      expect(list.body).toMatchObject({ data: [{ id: made.body["id"] }] });
    }
    const left = await api.send({ as: walletOf(world), path: `/api/v1/mandates/${mandate.id}` });
    expect(left.body).toMatchObject({
      status: "active",
      spent_minor: 1_000,
      held_minor: 0,
      remaining_minor: 9_000,
    });
  });

  test("the loser of a race reads limit, remaining and remedy in its 402", async () => {
    const mandate = await giveMandate(world, { amount_minor: 1_500 });
    expect((await buy(mandate)).status).toBe(201);
    const refused = await buy(mandate);
    expect(refused.status).toBe(402);
    expect(refused.body).toMatchObject({
      code: "mandate_cap_exceeded",
      limit: 1_500,
      remaining: 500,
      currency: "EUR",
    });
    expect(refused.body["remedy"]).toMatch(/cap/);
  });

  test("a declined card is a 402 that names the charge", async () => {
    world.billing.fail("hold", "declined");
    const refused = await buy(await giveMandate(world));
    expect(refused).toMatchObject({ status: 402, body: { code: "card_declined", status: 402 } });
    expect(refused.body["charge_id"]).toMatch(/^chg_/);
    world.billing.fail("hold", "no_instrument");
    expect((await buy(await giveMandate(world))).body).toMatchObject({ code: "instrument_missing" });
  });

  test("an open outcome is a 409 with Retry-After, and the same key goes on from there", async () => {
    const request = purchase(world, { mandate: await giveMandate(world) });
    world.billing.fail("hold", "answer_lost");
    world.billing.fail("read", "lost");
    const open = await post("/api/v1/charges", request, { key: "open-1" });
    expect(open).toMatchObject({ status: 409, body: { code: "charge_in_progress" } });
    expect(open.headers.get("retry-after")).toBe("1");
    const done = await post("/api/v1/charges", request, { key: "open-1" });
    expect(done).toMatchObject({ status: 201, body: { status: "authorized", id: open.body["charge_id"] } });
  });

  test("presentation_used: another nonce or offer for one key binding is refused", async () => {
    const mandate = await giveMandate(world);
    const request = purchase(world, { mandate });
    const first = await post("/api/v1/charges", request);
    const other = await post("/api/v1/charges", request);
    expect(other.body["id"]).toBe(first.body["id"]);
    const claim = "update presentation_claims set offer_digest = 'another' where charge_id = $1";
    await world.database.asAdmin(claim, [first.body["id"]]);
    expect(await post("/api/v1/charges", request)).toMatchObject({
      status: 409,
      body: { code: "presentation_used" },
    });
  });
});

describe("Idempotency-Key", () => {
  test("V11 missing, too long or with a space: refused on every call that moves money", async () => {
    const id = newId("charge");
    const paths = ["", `/${id}/capture`, `/${id}/release`, `/${id}/commit`, `/${id}/refund`];
    for (const path of paths) {
      const missing = await post(`/api/v1/charges${path}`, {}, { key: null });
      expect(missing).toMatchObject({ status: 400, body: { code: "idempotency_key_required" } });
      for (const key of ["k".repeat(256), "two words"]) {
        const malformed = await post(`/api/v1/charges${path}`, {}, { key });
        expect(malformed).toMatchObject({ status: 400, body: { code: "idempotency_key_invalid" } });
      }
    }
  });

  test("C06 one key and body 20 times at once: one charge, the others replayed or in flight", async () => {
    const mandate = await giveMandate(world);
    const request = purchase(world, { mandate });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post("/api/v1/charges", request, { key: "parallel" })),
    );
    const ids = new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body["id"]));
    expect(ids.size).toBe(1);
    for (const { status, body, headers } of answers) {
      if (status === 201) continue;
      expect([status, body["code"]]).toEqual([409, "idempotency_in_flight"]);
      expect(headers.get("retry-after")).not.toBeNull();
    }
    const replayed = await post("/api/v1/charges", request, { key: "parallel" });
    expect(replayed.headers.get("idempotent-replayed")).toBe("true");
  });

  test("C07 the same key with another body is a 422, and never mixed", async () => {
    const mandate = await giveMandate(world);
    const [one, two] = [purchase(world, { mandate }), purchase(world, { mandate })];
    const answers = await Promise.all(
      [one, two].map((body) => post("/api/v1/charges", body, { key: "mixed" })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const won = answers.findIndex(({ status }) => status === 201);
    const other = await post("/api/v1/charges", won === 0 ? two : one, { key: "mixed" });
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency_conflict" } });
  });

  test("a refusal is not kept: the same key works once there is room", async () => {
    const mandate = await giveMandate(world, { amount_minor: 1_000 });
    const first = await buy(mandate);
    const request = purchase(world, { mandate });
    expect((await post("/api/v1/charges", request, { key: "later" })).status).toBe(402);
    await post(`/api/v1/charges/${String(first.body["id"])}/release`, {});
    expect((await post("/api/v1/charges", request, { key: "later" })).status).toBe(201);
  });
});

describe("bad input", () => {
  test("V01 amounts that are no whole number of minor units", async () => {
    const made = await buy(await giveMandate(world));
    const path = `/api/v1/charges/${String(made.body["id"])}`;
    for (const amount of [-1, 0, 1.5, 2 ** 53, "100", "1e3", "١٠", null]) {
      for (const verb of ["capture", "refund"]) {
        const answer = await post(`${path}/${verb}`, { amount_minor: amount });
        expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
      }
    }
    expect((await post(`${path}/capture`, '{"amount_minor":12345678901234567890}')).status).toBe(400);
    expect((await api.send({ as: merchantOf(world), path })).body).toMatchObject({ status: "authorized" });
  });

  test("V06 unknown and dangerous members are refused, and no prototype changes", async () => {
    const request = purchase(world, { mandate: await giveMandate(world) });
    const text = JSON.stringify(request);
    for (const member of ['"__proto__":{"polluted":true}', '"constructor":{}', '"agent_key":"x"'])
      expect((await post("/api/v1/charges", `{${member},${text.slice(1)}`)).status).toBe(400);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("text that is no presentation, token or offer is refused in words", async () => {
    const request = purchase(world, { mandate: await giveMandate(world) });
    for (const member of ["presentation", "access_token", "offer"]) {
      for (const value of ["x", "a.b.c", "'; drop table charges; --"]) {
        const answer = await post("/api/v1/charges", { ...request, [member]: value });
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
    }
  });
});

describe("another's objects look like none", () => {
  const anonymous = ({ status, body }: Sent) => {
    const { request_id: _, ...rest } = body;
    return { status, rest };
  };

  test("T01 charges, mandates and receipts of other tenants, clients and agents answer as a random id", async () => {
    const mandate = await giveMandate(world);
    const made = await buy(mandate, { request: { capture: "automatic" } });
    const chargeId = String(made.body["id"]);
    const [{ id: receiptId } = { id: "" }] = await world.database.asAdmin<{ id: string }>(
      "select id from receipts where charge_id = $1 limit 1",
      [chargeId],
    );
    const merchant = merchantOf(world);
    const strangers = [
      { ...merchant, tenant: newId("tenant"), client: newId("client") },
      { ...merchant, tenant: newId("tenant") },
      { ...merchant, client: newId("client") },
    ];
    const agents = [{ ...agentOf(world), client: newId("agent") }];
    const wallets = [{ ...walletOf(world), tenant: newId("tenant") }];
    const charge = [chargeId, newId("charge")] as const;
    const mine = [mandate.id, newId("mandate")] as const;
    const cases: readonly (readonly [
      readonly Request["as"][],
      "GET" | "POST",
      (id: string) => string,
      readonly [string, string],
    ])[] = [
      [[...strangers, ...agents, ...wallets], "GET", (id) => `/api/v1/charges/${id}`, charge],
      ...["capture", "release", "commit", "refund"].map(
        (verb) => [strangers, "POST", (id: string) => `/api/v1/charges/${id}/${verb}`, charge] as const,
      ),
      [[...wallets, ...agents], "GET", (id) => `/api/v1/mandates/${id}`, mine],
      [agents, "GET", (id) => `/api/v1/mandates/${id}/credential`, mine],
      [[...wallets, ...agents], "POST", (id) => `/api/v1/mandates/${id}/revoke`, mine],
      [wallets, "POST", (id) => `/api/v1/mandates/${id}/suspend`, mine],
      [wallets, "POST", (id) => `/api/v1/mandates/${id}/resume`, mine],
      [
        [...strangers, ...agents, ...wallets],
        "GET",
        (id) => `/api/v1/receipts/${id}`,
        [receiptId, newId("receipt")],
      ],
    ];
    for (const [callers, method, pathOf, [known, random]] of cases)
      for (const as of callers) {
        if (as === undefined) continue;
        const seen = await api.send({ as, method, path: pathOf(known) });
        const none = await api.send({ as, method, path: pathOf(random) });
        expect(seen.status, pathOf(known)).toBe(404);
        expect(anonymous(seen)).toEqual(anonymous(none));
      }
    const after = await api.send({ as: walletOf(world), path: `/api/v1/mandates/${mandate.id}` });
    expect(after.body).toMatchObject({ status: "active" });
  });

  test("lists show the caller's own alone", async () => {
    const mandate = await giveMandate(world);
    await buy(mandate);
    for (const as of [
      { ...merchantOf(world), client: newId("client") },
      { ...walletOf(world), tenant: newId("tenant") },
    ])
      expect((await api.send({ as, path: "/api/v1/charges" })).body).toEqual({ data: [], next_cursor: null });
    const stranger = { ...walletOf(world), tenant: newId("tenant") };
    expect((await api.send({ as: stranger, path: "/api/v1/mandates" })).body).toEqual({
      data: [],
      next_cursor: null,
    });
  });
});

describe("mandates over HTTP", () => {
  test("the agent reads its mandate and the credential itself, though it lives in the principal's tenant", async () => {
    const mandate = await giveMandate(world);
    const as = agentOf(world);
    const read = await api.send({ as, path: `/api/v1/mandates/${mandate.id}` });
    expect(read.body).toMatchObject({ id: mandate.id, agent_id: world.agent.id, status: "active" });
    const credential = await api.send({ as, path: `/api/v1/mandates/${mandate.id}/credential` });
    expect(credential.body).toEqual({ id: mandate.id, mandate_jwt: mandate.jwt });
    expect(credential.headers.get("cache-control")).toBe("no-store");
    expect(read.text).not.toContain("ada@example.com");
  });

  test("a revocation is final, told in the status list at once, and in the log without its words", async () => {
    const mandate = await giveMandate(world);
    const path = `/api/v1/mandates/${mandate.id}`;
    const as = walletOf(world);
    const listed = await statusOf(mandate);
    expect(listed.value).toBe(0);
    const revoked = await api.send({
      as,
      method: "POST",
      path: `${path}/revoke`,
      body: { reason: "Ada lost it" },
    });
    expect(revoked).toMatchObject({ status: 200, body: { status: "revoked" } });
    expect((await statusOf(mandate)).value).toBe(1);
    const resumed = await api.send({ as, method: "POST", path: `${path}/resume` });
    expect(resumed).toMatchObject({ status: 403, body: { code: "mandate_revoked" } });
    const rows = await world.database.asAdmin<{ event: string; body: string }>(
      "select event, body::text as body from audit_rows where subject = $1",
      [mandate.id],
    );
    expect(rows.map(({ event }) => event).toSorted()).toEqual(["mandate.issued", "mandate.revoked"]);
    expect(JSON.stringify(rows)).not.toContain("Ada lost it");
  });

  test("suspended and resumed stand in the list; an agent may give its mandate up but not suspend it", async () => {
    const mandate = await giveMandate(world);
    const path = `/api/v1/mandates/${mandate.id}`;
    await api.send({ as: walletOf(world), method: "POST", path: `${path}/suspend` });
    expect((await statusOf(mandate)).value).toBe(2);
    await api.send({ as: walletOf(world), method: "POST", path: `${path}/resume` });
    expect((await statusOf(mandate)).value).toBe(0);
    const asAgent = await api.send({ as: agentOf(world), method: "POST", path: `${path}/suspend` });
    expect(asAgent).toMatchObject({ status: 403, body: { code: "insufficient_scope" } });
    const given = await api.send({ as: agentOf(world), method: "POST", path: `${path}/revoke` });
    expect(given.body).toMatchObject({ status: "revoked" });
  });

  test("pages go newest first and end; a cursor of another kind is refused", async () => {
    const made = [await giveMandate(world), await giveMandate(world)].map(({ id }) => id).toReversed();
    const first = await api.send({ as: walletOf(world), path: "/api/v1/mandates?limit=1" });
    const cursor = String(first.body["next_cursor"]);
    const second = await api.send({ as: walletOf(world), path: `/api/v1/mandates?limit=1&cursor=${cursor}` });
    const ids = [first, second].flatMap(({ body }) => (body["data"] as { id: string }[]).map(({ id }) => id));
    expect(ids).toEqual(made);
    const bad = await api.send({ as: walletOf(world), path: `/api/v1/mandates?cursor=${newId("charge")}` });
    expect(bad.status).toBe(400);
  });

  async function statusOf(mandate: Mandate): Promise<{ value: number | undefined }> {
    const found = await world.mandates.find(world.payer, mandate.id);
    const { list = 1, index = 0 } = found?.mandate.status ?? {};
    const path = `/oauth/status-list/${list}`;
    const answer = await api.send({ path, headers: { accept: "application/statuslist+jwt" } });
    expect(answer.headers.get("content-type")).toBe("application/statuslist+jwt");
    const input = {
      token: answer.text,
      uri: issuer + path,
      issuer,
      keys: world.keys.jwks().keys,
      now: world.clock.now(),
    };
    const verified = verifyStatusList(input);
    expect(verified.ttlS).toBe(60);
    return { value: statusAt(verified.list, 2, index) };
  }
});

describe("a database that is away", () => {
  test("D01 every call answers 503 with Retry-After, and no money is asked for", async () => {
    const away = await createWorld();
    const door = await openApi(away);
    try {
      const request = purchase(away, { mandate: await giveMandate(away) });
      await away.db.close();
      const answer = await door.send({
        as: merchantOf(away),
        method: "POST",
        path: "/api/v1/charges",
        body: request,
      });
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).not.toBeNull();
      expect(away.billing.asked).toEqual([]);
    } finally {
      await door.close();
      await away.close();
    }
  });
});

describe("status lists", () => {
  const get = (path: string, headers: Record<string, string> = {}) => api.send({ path, headers });

  test("one list in the form that is asked for; 304 while nothing changed; a new copy once it did", async () => {
    const mandate = await giveMandate(world);
    const first = await get("/oauth/status-list/1");
    const etag = first.headers.get("etag") ?? "";
    expect(first.headers.get("cache-control")).toBe("public, max-age=60");
    expect((await get("/oauth/status-list/1", { "if-none-match": etag })).status).toBe(304);
    await api.send({ as: walletOf(world), method: "POST", path: `/api/v1/mandates/${mandate.id}/revoke` });
    const changed = await get("/oauth/status-list/1", { "if-none-match": etag });
    expect(changed.status).toBe(200);
    world.clock.advance(61 * secondMs);
    const again = await get("/oauth/status-list/1", { "if-none-match": changed.headers.get("etag") ?? "" });
    expect(again.status).toBe(200);
  });

  test("StatusList2021 for revocation and suspension, each with its proof", async () => {
    const accept = { accept: "application/vc+ld+json" };
    for (const purpose of ["revocation", "suspension"]) {
      const list = await get(`/oauth/status-list/1?purpose=${purpose}`, accept);
      expect(list.headers.get("content-type")).toBe("application/vc+ld+json");
      expect(list.body).toMatchObject({
        issuer,
        credentialSubject: { statusPurpose: purpose },
        proof: { proofPurpose: "assertionMethod" },
      });
    }
    expect((await get("/oauth/status-list/1", { accept: "text/html" })).status).toBe(406);
    expect((await get("/oauth/status-list/999")).status).toBe(404);
    expect((await get("/oauth/status-list/0")).status).toBe(400);
  });
});

describe("what an organization sold, as its people see it", () => {
  const reads = ["billing:read"];
  const sold = async (): Promise<string> => {
    const made = await buy(await giveMandate(world));
    const id = String(made.body["id"]);
    await post(`/api/v1/charges/${id}/capture`, {});
    return id;
  };

  test("it is listed, filtered and summed by days, and nobody else's organization finds it", async () => {
    const id = await sold();
    const [seller, stranger] = [
      sellerOf(world, reads),
      { ...sellerOf(world, reads), tenant: newId("tenant") },
    ];
    const list = await api.send({ as: seller, path: "/api/v1/sold?limit=1" });
    expect(list.body).toMatchObject({ data: [{ id, status: "captured", captured_minor: 1_000 }] });
    const declined = await api.send({ as: seller, path: "/api/v1/sold?status=declined" });
    expect(JSON.stringify(declined.body["data"])).not.toContain(id);
    const days = await api.send({ as: seller, path: "/api/v1/sold/days?days=1" });
    expect(Object(days.body["data"])[0]).toMatchObject({
      currency: "EUR",
      refunded_minor: expect.any(Number),
    });
    expect((await api.send({ as: seller, path: `/api/v1/sold/${id}` })).body).toMatchObject({ id });
    expect((await api.send({ as: stranger, path: `/api/v1/sold/${id}` })).status).toBe(404);
    expect((await api.send({ as: stranger, path: "/api/v1/sold" })).body).toMatchObject({ data: [] });
    expect((await api.send({ as: stranger, path: "/api/v1/sold/days" })).body).toMatchObject({ data: [] });
    const payer = { ...walletOf(world), scopes: reads };
    expect((await api.send({ as: payer, path: `/api/v1/sold/${id}` })).status).toBe(404);
  });

  test("the same refund twice gives back once, and it takes who may change what is for sale", async () => {
    const id = await sold();
    const path = `/api/v1/sold/${id}/refund`;
    const refund = (scopes: readonly string[], key: string, tenant = world.payee): Promise<Sent> =>
      post(path, { amount_minor: 400 }, { as: { ...sellerOf(world, scopes), tenant }, key });
    expect((await refund(reads, "reader")).status).toBe(403);
    expect((await refund(["offers:write"], "stranger", newId("tenant"))).status).toBe(404);
    const answers = await Promise.all([refund(["offers:write"], "once"), refund(["offers:write"], "once")]);
    expect(answers.map(({ status }) => status)).toContain(200);
    const again = await refund(["offers:write"], "once");
    expect(again).toMatchObject({ status: 200, body: { refunded_minor: 400, captured_minor: 1_000 } });
  });

  test("a refund of a person is none that the merchant's own client asked for, whatever key that had", async () => {
    const id = await sold();
    const body = { amount_minor: 300 };
    const byClient = await post(`/api/v1/charges/${id}/refund`, body, {
      as: merchantOf(world),
      key: "sold:twice",
    });
    expect(byClient).toMatchObject({ status: 200, body: { refunded_minor: 300 } });
    const person = sellerOf(world, ["offers:write"]);
    const byPerson = await post(`/api/v1/sold/${id}/refund`, body, { as: person, key: "twice" });
    expect(byPerson).toMatchObject({ status: 200, body: { refunded_minor: 600 } });
  });
});

test("G09 a token with a presentation of another key is refused, and the agent's operator hears of it", async () => {
  const mandate = await giveMandate(world);
  const noticed = () =>
    world.database.asAdmin("select subject, payload from outbox where type = 'security.key_mismatch'");
  expect(await buy(mandate, { kbKey: generateJwk("ES256") })).toMatchObject({
    body: { code: "mandate_kb_signature_invalid" },
  });
  expect(await noticed()).toMatchObject([
    {
      subject: world.agent.id,
      payload: { what: "presentation", bound: world.agent.dpop.kid, presented: null },
    },
  ]);
  // Without a token of the agent's, anybody could write this into its log.
  const other = await newAgent(world.db, world);
  const theirs = await giveMandate(world, {}, other);
  const forged = { agent: other, tokenSignedBy: "mandate", kbKey: generateJwk("ES256") };
  expect((await buy(theirs, forged)).status).toBeGreaterThanOrEqual(400);
  expect(await noticed()).toHaveLength(1);
});
