import { after, minuteMs, newId, toNumericDate } from "@remit/kernel";
import { type PrivateJwk, parsePaymentRequired } from "@remit/protocol";
import { generateJwk, makeDpopProof, signJws, thumbprint } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Answer, createAgent, merchantId, send, startWorld, type World } from "./world.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());
afterEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.offers`);
  await world.gateway.reload();
});

const key: PrivateJwk = generateJwk("ES256");
const origin = "http://gateway.test";
const client = newId("client");

/** An administrator of an organization calls the gateway's own API. */
async function call(
  method: "GET" | "POST" | "PUT" | "DELETE",
  target: string,
  more: { body?: object; tenant?: string; scope?: string; idempotencyKey?: string; at?: World } = {},
): Promise<Answer & { json: Record<string, unknown> }> {
  const { issuer, clock } = world;
  const token = signJws(
    issuer.key,
    { typ: "at+jwt" },
    {
      iss: issuer.origin,
      sub: "admin",
      aud: origin,
      client_id: client,
      jti: newId("request"),
      iat: toNumericDate(clock.now()),
      exp: toNumericDate(after(clock.now(), 5 * minuteMs)),
      scope: more.scope ?? "offers:write",
      organization_id: more.tenant ?? world.tenant,
      livemode: false,
      cnf: { jkt: thumbprint(key) },
    },
  );
  const send = (nonce?: string): Promise<Answer> =>
    world.ask(target, {
      method,
      headers: {
        host: "gateway.test",
        authorization: `DPoP ${token}`,
        dpop: makeDpopProof({
          key,
          method,
          url: origin + target,
          now: clock.now(),
          accessToken: token,
          ...(nonce !== undefined && { nonce }),
        }),
        ...(more.body !== undefined && { "content-type": "application/json" }),
        ...(method === "POST" && { "idempotency-key": more.idempotencyKey ?? newId("request") }),
      },
      ...(more.body !== undefined && { body: JSON.stringify(more.body) }),
    });
  const first = await send();
  const nonce = first.headers["dpop-nonce"];
  const answer = first.status === 401 && typeof nonce === "string" ? await send(nonce) : first;
  const text = answer.body.toString();
  return { ...answer, json: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

const weather = (more: object = {}): object => ({
  name: "weather",
  merchant: merchantId,
  upstream: world.upstream.origin,
  price: "0.25",
  routes: [{ path: "/weather/*" }],
  ...more,
});

const made = async (more: object = {}): Promise<string> => {
  const answer = await call("POST", "/api/v1/offers", { body: weather(more) });
  expect([answer.status, answer.json["code"]]).toEqual([201, undefined]);
  return String(answer.json["id"]);
};

const priceAt = async (target: string): Promise<string | undefined> => {
  const unpaid = await world.ask(target);
  if (unpaid.status !== 402) return undefined;
  return parsePaymentRequired(String(unpaid.headers["payment-required"])).accepts[0]?.amount;
};

describe("the offers API", () => {
  test("an offer that is made is sold when the answer comes, and is paid for as any other", async () => {
    const answer = await call("POST", "/api/v1/offers", { body: weather() });
    expect(answer.json).toMatchObject({
      status: "live",
      because: null,
      origin: "http://shop.test",
      drained_at: null,
    });
    expect(await priceAt("/weather/today")).toBe("25");
    expect(await priceAt("/weather")).toBe("25");
    const unpaid = await world.ask("/weather/today");
    const paid = await world.ask("/weather/today", { headers: createAgent(world).pay(unpaid) });
    expect(paid.status).toBe(200);
    const sales = await call("GET", `/api/v1/offers/${String(answer.json["id"])}/sales`);
    expect(sales.json).toMatchObject({
      requests: { total: 4, unpaid: 3, refused: 0 },
      paid: [{ currency: "USD", payments: 1, amount_minor: 25 }],
      latest: [{ method: "GET", path: "/weather/*", amount_minor: 25 }],
    });
  });

  test("a price changes where its bytes are known, on another replica too", async () => {
    const id = await made();
    const beside = await world.replica();
    const priceBeside = async (): Promise<string | undefined> => {
      const { headers } = await send(beside, "/weather/known", {});
      return parsePaymentRequired(String(headers["payment-required"])).accepts[0]?.amount;
    };
    await eventually(async () => expect(await priceBeside()).toBe("25"));
    for (let times = 0; times < 3; times++) expect(await priceBeside()).toBe("25");
    const { name: _, merchant: __, ...spec } = weather({ price: "0.75" }) as Record<string, unknown>;
    expect((await call("PUT", `/api/v1/offers/${id}`, { body: spec })).status).toBe(200);
    expect(await priceAt("/weather/known")).toBe("75");
    await eventually(async () => expect(await priceBeside()).toBe("75"));
  });

  test("the most specific line of a route table holds", async () => {
    const id = await made({
      routes: [
        { path: "/weather/*" },
        { path: "/weather/:city", price: "0.10" },
        { path: "/weather/oslo", gate: "free", methods: ["GET"] },
      ],
    });
    expect(await priceAt("/weather/a/b")).toBe("25");
    expect(await priceAt("/weather/bergen")).toBe("10");
    const { sold } = (await call("GET", `/api/v1/offers/${id}`)).json as { sold: object[] };
    expect(sold).toContainEqual(
      expect.objectContaining({ method: "GET", path: "/weather/oslo", gate: "free", pays_with: [] }),
    );
  });

  test("a change is whole or not at all", async () => {
    const id = await made();
    const bad = { ...weather({ routes: [{ path: "/weather/*" }, { path: "/w/%2e%2e" }] }) };
    const { name: _name, merchant: _merchant, ...spec } = bad as { name: string; merchant: string };
    const refused = await call("PUT", `/api/v1/offers/${id}`, { body: { ...spec, price: "9.00" } });
    expect([refused.status, refused.json["code"]]).toEqual([422, "offer_refused"]);
    expect(await priceAt("/weather/today")).toBe("25");
    const good = { ...spec, routes: [{ path: "/climate/*" }] };
    expect((await call("PUT", `/api/v1/offers/${id}`, { body: good })).status).toBe(200);
    expect(await priceAt("/weather/today")).toBeUndefined();
    expect(await priceAt("/climate/today")).toBe("25");
  });

  test.each<[string, object, number, string]>([
    ["a second one of the name", { routes: [{ path: "/other" }] }, 409, "offer_exists"],
    ["the same requests again", { name: "other" }, 409, "offer_conflict"],
    ["what the file sells", { name: "other", routes: [{ path: "/demo/report" }] }, 409, "offer_conflict"],
    ["a price of nothing", { name: "other", price: "0.00", routes: [{ path: "/x" }] }, 422, "offer_refused"],
    ["no price", { name: "other", price: undefined, routes: [{ path: "/x" }] }, 422, "offer_refused"],
    [
      "the gateway's own address",
      { name: "other", routes: [{ path: "/api/v1/offers" }] },
      422,
      "offer_refused",
    ],
    ["a path twice", { name: "other", routes: [{ path: "/x" }, { path: "/x" }] }, 422, "offer_refused"],
    [
      "a card without a network",
      { name: "other", pay_with: ["card"], routes: [{ path: "/x" }] },
      422,
      "offer_refused",
    ],
    ["somebody else's merchant", { name: "other", merchant: newId("merchant") }, 404, "not_found"],
    ["a member nobody knows", { name: "other", payout: "acct_x" }, 400, "invalid_request"],
    ["an upstream with a path", { name: "other", upstream: "http://127.0.0.1/x" }, 400, "invalid_request"],
  ])("%s is refused, and nothing is written", async (_what, more, status, code) => {
    await made();
    const answer = await call("POST", "/api/v1/offers", { body: weather(more) });
    expect([answer.status, answer.json["code"]]).toEqual([status, code]);
    expect((await call("GET", "/api/v1/offers")).json["data"]).toHaveLength(1);
  });

  test.each([
    "http://169.254.169.254",
    "http://127.0.0.1:1",
    "http://localhost:3100",
    "https://metadata.google.internal",
  ])(
    "W02 an upstream that the operator has not listed is refused, and never called: %s",
    async (upstream) => {
      const answer = await call("POST", "/api/v1/offers", { body: weather({ upstream }) });
      expect([answer.status, answer.json["code"]]).toEqual([422, "offer_refused"]);
      const id = await made();
      const changed = await call("PUT", `/api/v1/offers/${id}`, { body: { upstream, price: "1.00" } });
      expect([changed.status, changed.json["code"]]).toEqual([422, "offer_refused"]);
      // Written past the API, or before the operator's list became shorter.
      const { schema } = world.database;
      await world.database.asAdmin(`update ${schema}.offers set spec = jsonb_set(spec, '{upstream}', $1)`, [
        JSON.stringify(upstream),
      ]);
      await world.database.asAdmin(`select pg_notify($1, '')`, [`${schema}.offers`]);
      await eventually(async () => expect(await priceAt("/weather/today")).toBeUndefined());
    },
  );

  test("one offer that cannot be read is its own trouble, and no other's", async () => {
    await made();
    await made({ name: "other", routes: [{ path: "/other" }] });
    const { schema } = world.database;
    await world.database.asAdmin(
      `update ${schema}.offers set spec = spec || '{"routes": 7}' where name = 'other'`,
    );
    await world.database.asAdmin(`select pg_notify($1, '')`, [`${schema}.offers`]);
    await eventually(async () => expect(await priceAt("/other")).toBeUndefined());
    expect(await priceAt("/weather/today")).toBe("25");
  });

  test("T02 another organization sees and changes nothing of it", async () => {
    const id = await made();
    const tenant = newId("tenant");
    expect((await call("GET", `/api/v1/offers/${id}`, { tenant })).status).toBe(404);
    expect((await call("DELETE", `/api/v1/offers/${id}`, { tenant })).status).toBe(404);
    expect((await call("POST", `/api/v1/offers/${id}/drain`, { tenant, body: {} })).status).toBe(404);
    expect((await call("GET", "/api/v1/offers", { tenant })).json["data"]).toEqual([]);
    const stolen = await call("POST", "/api/v1/offers", { tenant, body: weather({ name: "stolen" }) });
    expect(stolen.status).toBe(404);
  });

  test("who may only read changes nothing", async () => {
    const answer = await call("POST", "/api/v1/offers", { scope: "offers:read", body: weather() });
    expect([answer.status, answer.json["code"]]).toEqual([403, "insufficient_scope"]);
  });

  test("the same call under the same key makes one offer", async () => {
    const idempotencyKey = newId("request");
    const first = await call("POST", "/api/v1/offers", { idempotencyKey, body: weather() });
    const again = await call("POST", "/api/v1/offers", { idempotencyKey, body: weather() });
    expect([first.status, again.status, again.json["id"]]).toEqual([201, 201, first.json["id"]]);
    expect(again.headers["idempotent-replayed"]).toBe("true");
    const other = await call("POST", "/api/v1/offers", { idempotencyKey, body: weather({ price: "1.00" }) });
    expect(other.json["code"]).toBe("idempotency_conflict");
    expect((await call("GET", "/api/v1/offers")).json["data"]).toHaveLength(1);
  });

  test("a drained offer is sold until its grace has passed, and no more after it", async () => {
    const id = await made();
    const draining = await call("POST", `/api/v1/offers/${id}/drain`, { body: { grace_s: 30 } });
    expect(draining.json["status"]).toBe("draining");
    expect(await priceAt("/weather/today")).toBe("25");
    world.clock.advance(31_000);
    expect(await priceAt("/weather/today")).toBeUndefined();
    expect((await call("GET", `/api/v1/offers/${id}`)).json["status"]).toBe("drained");
    expect((await call("DELETE", `/api/v1/offers/${id}`)).status).toBe(204);
  });

  test("a list goes on where its cursor says, under its own filter alone", async () => {
    for (const name of ["a", "b", "c"]) await made({ name, routes: [{ path: `/${name}` }] });
    const first = await call("GET", "/api/v1/offers?limit=2");
    expect((first.json["data"] as { name: string }[]).map(({ name }) => name)).toEqual(["c", "b"]);
    const cursor = encodeURIComponent(String(first.json["next_cursor"]));
    const second = await call("GET", `/api/v1/offers?limit=2&cursor=${cursor}`);
    expect((second.json["data"] as { name: string }[]).map(({ name }) => name)).toEqual(["a"]);
    expect(second.json["next_cursor"]).toBeNull();
    expect((await call("GET", `/api/v1/offers?name=a&cursor=${cursor}`)).json["code"]).toBe("cursor_invalid");
  });

  test("an offer that another process made is sold here too", async () => {
    await made();
    const { schema } = world.database;
    await world.database.asAdmin(`update ${schema}.offers set spec = jsonb_set(spec, '{price}', '"0.50"')`);
    await world.database.asAdmin(`select pg_notify($1, '')`, [`${schema}.offers`]);
    await eventually(async () => expect(await priceAt("/weather/today")).toBe("50"));
  });

  test("what the file comes to sell later is the file's, and the offer says so", async () => {
    const id = await made();
    await world.writeOffers({
      more: [
        {
          id: "weather-file",
          merchant: merchantId,
          method: "GET",
          path: "/weather/*",
          upstream: world.upstream.origin,
          amount_minor: 77,
          currency: "USD",
          name: "Weather",
          sku: "w",
        },
      ],
    });
    await world.gateway.reload();
    expect(await priceAt("/weather/today")).toBe("77");
    expect((await call("GET", `/api/v1/offers/${id}`)).json).toMatchObject({
      status: "conflict",
      because: expect.stringContaining("weather-file"),
    });
    await world.writeOffers();
    await world.gateway.reload();
    expect(await priceAt("/weather/today")).toBe("25");
  });
});

describe("merchants over the API", () => {
  const entry = (more: object = {}): object => ({
    tenant: world.tenant,
    origin: "https://second.example",
    client_id: newId("client"),
    keys: { assertion: generateJwk("ES256"), dpop: generateJwk("ES256"), offer: generateJwk("ES256") },
    payments: { stripe: { secret_key: "sk_test_of_the_second" } },
    ...more,
  });
  const put = (id: string, body: object, scope = "admin:orgs") =>
    call("PUT", `/api/v1/merchants/${id}`, { body, scope });

  test("the operator adds a merchant: its origin is answered with its keys, and no secret is shown or kept in clear", async () => {
    const id = newId("merchant");
    const wanted = entry();
    const made = await put(id, wanted);
    expect([made.status, made.json]).toMatchObject([200, { id, origin: "https://second.example" }]);
    expect(made.body.toString()).not.toMatch(/sk_test|"d"/);
    const proof = await world.ask("/.well-known/oid4ac-merchant", { headers: { host: "second.example" } });
    expect(JSON.parse(proof.body.toString())).toMatchObject({ merchants: [{ id }] });
    const rows = await world.database.asAdmin<{ plain: boolean }>(
      `select position('sk_test_of_the_second'::bytea in sealed) > 0 as plain from ${world.database.schema}.merchants`,
    );
    expect(rows).toEqual([{ plain: false }]);
  });

  test("T02 an organization's own administrator adds none, and nobody takes over another's", async () => {
    const id = newId("merchant");
    expect(await put(id, entry({ origin: "https://third.example" }), "offers:write")).toMatchObject({
      status: 403,
    });
    expect(await put(id, entry({ origin: "https://third.example" }))).toMatchObject({ status: 200 });
    const taken = await put(newId("merchant"), entry({ origin: "https://third.example" }));
    expect([taken.status, taken.json["code"]]).toEqual([409, "merchant_origin_taken"]);
    const foreign = await put(id, entry({ tenant: newId("tenant"), origin: "https://fourth.example" }));
    expect([foreign.status, foreign.json["code"]]).toEqual([403, "client_not_allowed"]);
  });

  test("a key that is the name of a file is refused: the gateway reads no file that a caller names", async () => {
    const keys = { assertion: "/etc/passwd", dpop: generateJwk("ES256"), offer: generateJwk("ES256") };
    const refused = await put(newId("merchant"), entry({ origin: "https://fifth.example", keys }));
    expect([refused.status, refused.json["code"]]).toEqual([422, "offer_refused"]);
  });
});
