import { newId } from "@remit/kernel";
import { generateJwk } from "@remit/protocol/node";
import { checkCatalogue } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tables } from "../src/index.ts";
import { idIn, register, serve, settle, verify } from "./shops.ts";
import { type Host, introspection, startHost, startWorld, type World } from "./world.ts";

let shop: Host;
let other: Host;
let world: World;

beforeAll(async () => {
  shop = await startHost();
  other = await startHost();
  world = await startWorld([shop, other]);
});

afterAll(async () => {
  await world.close();
  await shop.close();
  await other.close();
});

beforeEach(async () => {
  shop.pages.clear();
  other.pages.clear();
  await world.database.asAdmin(`truncate ${world.database.schema}.merchants`);
});

test("an organization reads its own merchants page by page, newest first, whatever it registers meanwhile", async () => {
  serve(shop, generateJwk("ES256"));
  const id = newId("tenant");
  const hosts = [shop, other];
  const ids: string[] = [];
  for (const host of hosts) ids.unshift(idIn(await register(world.tenant("directory:write", id), host)));
  const reader = world.tenant("directory:read", id);
  const page = async (query: string) =>
    (await reader.call("GET", `/api/v1/organization/merchants${query}`)).body as {
      data: { id: string }[];
      next_cursor: string | null;
    }; // as the contract has it
  const first = await page("?limit=1");
  await world.database.asAdmin(`insert into ${world.database.schema}.merchants
    select (jsonb_populate_record(m, jsonb_build_object('id', '${newId("merchant")}', 'origin', 'https://newer.example', 'client_id', '${newId("client")}'))).*
    from ${world.database.schema}.merchants m where id = '${ids[0]}'`);
  const second = await page(`?limit=1&cursor=${String(first.next_cursor)}`);
  expect([first, second].map(({ data }) => data.map((one) => one.id))).toEqual([[ids[0]], [ids[1]]]);
  expect(second.next_cursor).toBeNull();
  expect((await page("")).data).toHaveLength(3);
});

describe("registering", () => {
  test("an origin that serves its keys and names its merchant is verified, and everybody finds it", async () => {
    serve(shop, generateJwk("ES256"), generateJwk("EdDSA"));
    const tenant = world.tenant();
    const verified = await settle(tenant, shop);
    expect(verified).toMatchObject({
      status: 200,
      body: { verification_status: "verified", origin: shop.origin, client_id: tenant.client },
    });
    const found = await world.get(`/api/v1/merchants?origin=${encodeURIComponent(shop.origin)}`);
    expect(found.body).toMatchObject({ data: [verified.body], next_cursor: null });
    expect(JSON.stringify(found.body)).not.toContain('"d":');
    const [{ count } = { count: 0 }] = await world.database.asAdmin<{ count: number }>(
      `select count(*)::int as count from ${world.database.schema}.outbox where type in ('merchant.registered', 'merchant.verified')`,
    );
    expect(count).toBeGreaterThanOrEqual(2);
  });

  test("a merchant that has not proven its origin is provisional, and nobody sees it", async () => {
    serve(shop, generateJwk("ES256"));
    const tenant = world.tenant();
    const made = await register(tenant, shop);
    expect(made).toMatchObject({
      status: 201,
      body: { verification_status: "provisional", jwks: { keys: [] } },
    });
    const id = idIn(made);
    expect(await world.get("/api/v1/merchants")).toMatchObject({ body: { data: [] } });
    expect(await world.get(`/api/v1/merchants/${id}`)).toMatchObject({ status: 404 });
    expect(await verify(world.tenant(), id)).toMatchObject({ status: 404 });
  });

  test("G06 the client of a merchant is the one that calls", async () => {
    const tenant = world.tenant();
    const sibling = world.tenant("directory:write", tenant.id);
    for (const client_id of [newId("client"), sibling.client, "cli_1"])
      expect(await register(tenant, shop, { client_id })).toMatchObject({
        status: 403,
        body: { code: "client_not_allowed" },
      });
    expect(await world.database.asAdmin(`select 1 from ${world.database.schema}.merchants`)).toEqual([]);
  });

  test("one client is one merchant, and a repeat names it", async () => {
    const tenant = world.tenant();
    const merchant_id = idIn(await register(tenant, shop));
    expect(await register(tenant, other)).toMatchObject({
      status: 409,
      body: { code: "merchant_client_taken", merchant_id },
    });
    expect(await register(tenant, shop)).toMatchObject({ status: 409, body: { merchant_id } });
    const answers = await Promise.all([shop, other].map((host) => register(world.tenant(), host)));
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  });

  test("one client that registers two origins at once gets one", async () => {
    const tenant = world.tenant();
    const answers = await Promise.all([shop, other].map((host) => register(tenant, host)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
  });

  test("one origin belongs to one merchant", async () => {
    serve(shop, generateJwk("ES256"));
    const tenant = world.tenant();
    const merchant_id = idIn(await settle(tenant, shop));
    const sibling = world.tenant("directory:write", tenant.id);
    for (const again of [tenant, sibling])
      expect(await register(again, shop)).toMatchObject({
        status: 409,
        body: { code: "merchant_origin_taken", merchant_id },
      });
    const stranger = await register(world.tenant(), shop);
    expect(stranger).toMatchObject({ status: 409, body: { code: "merchant_origin_taken" } });
    expect(stranger.body).not.toHaveProperty("merchant_id");
  });

  test("a tenant cannot write another's row, and needs its scope", async () => {
    expect(await register(world.tenant("directory:read"), shop)).toMatchObject({ status: 403 });
    const rows = await world.database
      .open()
      .of(newId("tenant"))
      .transaction((tx) =>
        tx.run({ name: "steal", text: "update merchants set display_name = 'mine'", values: [] }),
      );
    expect(rows.count).toBe(0);
  });

  test.each([
    ["keys at another host", { jwks_uri: "https://keys.example/.well-known/jwks.json" }, 400],
    ["keys at no host", { jwks_uri: "/.well-known/jwks.json" }, 400],
    ["a catalogue at another host", { catalogue_uri: "https://keys.example/catalogue" }, 400],
    ["an origin with a path", { origin: "https://shop.example/x" }, 400],
    ["a payout account", { stripe_connect_account_id: "acct_1" }, 400],
    ["a currency nobody has", { currencies: ["XXX"] }, 400],
    ["no rail", { rails: [] }, 400],
    ["V06 a name that is no text", { display_name: "a\u0000b" }, 400],
  ])("%s is refused", async (_, more, status) => {
    expect(await register(world.tenant(), shop, more)).toMatchObject({ status });
  });

  test.each(["/uploads/jwks.json", "/.well-known/jwks.json?x=1", "/.well-known/../a/jwks.json"])(
    "G06 keys at %s of the origin are not the origin's",
    async (path) => {
      serve(shop, generateJwk("ES256"));
      expect(await register(world.tenant(), shop, { jwks_uri: shop.origin + path })).toMatchObject({
        status: 400,
        body: { code: "invalid_request" },
      });
    },
  );

  test("V06 strings of other languages are stored as text", async () => {
    serve(shop, generateJwk("ES256"));
    const display_name = "'); drop table merchants; -- ${7*7} {$gt: 0}";
    const made = await register(world.tenant(), shop, { display_name });
    expect(made).toMatchObject({ status: 201, body: { display_name } });
  });
});

describe("A11 the issuer decides whether a token still counts", () => {
  const says = (status: number, body: object): unknown =>
    world.issuer.pages.set(introspection, { status, body: JSON.stringify(body) });
  afterEach(() => says(200, { active: true }));

  test("A11 a token that was revoked is refused at the very next call", async () => {
    const tenant = world.tenant();
    expect(await register(tenant, shop)).toMatchObject({ status: 201 });
    says(200, { active: false });
    expect(await register(tenant, shop)).toMatchObject({ status: 401, body: { code: "token_revoked" } });
  });

  test.each([
    ["fails", 500, {}],
    ["refuses us", 403, { error: "access_denied" }],
    ["says nothing of it", 200, {}],
    ["answers in other words", 200, { active: "yes" }],
  ])("A11 D01 while the issuer %s nobody is let in, and may come again", async (_, status, body) => {
    says(status, body);
    const answer = await register(world.tenant(), shop);
    expect(answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect(answer.headers["retry-after"]).toBe("1");
    expect(await world.get("/api/v1/merchants")).toMatchObject({ status: 200 });
  });

  test("the issuer's own token is not asked about: what moves money waits for nobody", async () => {
    says(500, {});
    const own = world.tenant("directory:write", newId("tenant"), "authorization-server");
    const unknown = `/api/v1/merchants/${newId("merchant")}/verify`;
    expect((await own.call("POST", unknown)).status).toBe(404);
  });
});

describe("the public list", () => {
  test("is narrowed by each filter", async () => {
    serve(shop, generateJwk("ES256"));
    serve(other, generateJwk("ES256"));
    const books = { country: "NL", currencies: ["EUR"], categories: ["books"] };
    await settle(world.tenant(), shop, books);
    const data = { country: "DE", currencies: ["USD"], categories: ["data"], rails: ["x402"] };
    await settle(world.tenant(), other, data);
    const origins = async (query: string): Promise<string[]> => {
      const { body } = await world.get(`/api/v1/merchants?${query}`);
      return (body as { data: { origin: string }[] }).data.map(({ origin }) => origin);
    };
    expect(await origins("")).toEqual([shop.origin, other.origin]);
    for (const query of ["country=NL", "currency=EUR", "category=books", "rail=card"])
      expect(await origins(query)).toEqual([shop.origin]);
    for (const query of ["country=DE", "currency=USD", "category=data", "rail=x402"])
      expect(await origins(query)).toEqual([other.origin]);
    expect(await origins("country=FR")).toEqual([]);
  });

  test("V07 a cursor counts for its own list, unaltered", async () => {
    const columns =
      "tenant_id, id, display_name, origin, client_id, jwks_uri, jwks, country, currencies, categories, rails, verification_status, verified_at, created_at, updated_at";
    const many = Array.from(
      { length: 51 },
      (_, index) =>
        `('${newId("tenant")}', '${newId("merchant")}', 'M', 'https://m${index}.example', 'cli_${index}', 'https://m${index}.example/j', '{"keys":[]}', 'NL', '{EUR}', '{}', '{card}', 'verified', now(), now(), now())`,
    );
    await world.database.asAdmin(
      `insert into ${world.database.schema}.merchants (${columns}) values ${many.join(",")}`,
    );
    const first = await world.get("/api/v1/merchants?country=NL");
    const { data, next_cursor: cursor } = first.body as { data: unknown[]; next_cursor: string };
    expect(data).toHaveLength(50);
    const second = await world.get(`/api/v1/merchants?country=NL&cursor=${cursor}`);
    expect(second).toMatchObject({ status: 200, body: { next_cursor: null } });
    expect((second.body as { data: unknown[] }).data).toHaveLength(1);
    const [after, tag = ""] = cursor.split(".");
    const forged = [`${cursor}x`, `x${cursor}`, `${newId("merchant")}.${tag}`, `${after}`, "%00", "a.b.c"];
    for (const wrong of [
      ...forged.map((text) => `country=NL&cursor=${text}`),
      `cursor=${cursor}`,
      `country=DE&cursor=${cursor}`,
    ])
      expect(await world.get(`/api/v1/merchants?${wrong}`)).toMatchObject({ status: 400 });
  });

  test("an unknown filter, an unknown id and a malformed id are refused", async () => {
    expect(await world.get("/api/v1/merchants?status=provisional")).toMatchObject({ status: 400 });
    expect(await world.get(`/api/v1/merchants/${newId("merchant")}`)).toMatchObject({ status: 404 });
    expect((await world.get("/api/v1/merchants/1")).status).toBeGreaterThanOrEqual(400);
  });

  test("T03 the tables are what the service says they are", async () => {
    expect(await checkCatalogue(world.database, tables)).toEqual([]);
  });
});
