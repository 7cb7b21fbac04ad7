import { dayMs, newId } from "@remit/kernel";
import { cataloguePath, makeCatalogue, type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, signResponse } from "@remit/protocol/node";
import { checkCatalogue } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tables } from "../src/index.ts";
import { type Host, startHost, startWorld, type World } from "./world.ts";

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

const serve = (host: Host, ...keys: PrivateJwk[]): void => {
  host.pages.set("/.well-known/jwks.json", {
    status: 200,
    body: JSON.stringify({ keys: keys.map(publicJwkOf) }),
  });
};

const registration = (host: Host, more: object = {}): object => ({
  display_name: "The shop",
  origin: host.origin,
  client_id: newId("client"),
  jwks_uri: `${host.origin}/.well-known/jwks.json`,
  country: "NL",
  currencies: ["EUR", "USD"],
  categories: ["books"],
  rails: ["card"],
  ...more,
});

beforeEach(async () => {
  shop.pages.clear();
  other.pages.clear();
  await world.database.asAdmin(`truncate ${world.database.schema}.merchants`);
});

describe("registering", () => {
  test("an origin that serves its keys is verified at once, and everybody finds it", async () => {
    serve(shop, generateJwk("ES256"), generateJwk("EdDSA"));
    const made = await world.tenant().call("POST", "/api/v1/merchants", registration(shop));
    expect(made).toMatchObject({
      status: 201,
      body: { verification_status: "verified", origin: shop.origin },
    });
    const found = await world.get(`/api/v1/merchants?origin=${encodeURIComponent(shop.origin)}`);
    expect(found.body).toMatchObject({ data: [made.body], next_cursor: null });
    expect(JSON.stringify(found.body)).not.toContain('"d":');
    const [{ count } = { count: 0 }] = await world.database.asAdmin<{ count: number }>(
      `select count(*)::int as count from ${world.database.schema}.outbox where type in ('merchant.registered', 'merchant.verified')`,
    );
    expect(count).toBeGreaterThanOrEqual(2);
  });

  test("an origin that does not answer stays provisional, and nobody sees it", async () => {
    const tenant = world.tenant();
    const made = await tenant.call("POST", "/api/v1/merchants", registration(shop));
    expect(made).toMatchObject({
      status: 201,
      body: { verification_status: "provisional", jwks: { keys: [] } },
    });
    const { id } = made.body as { id: string };
    expect(await world.get("/api/v1/merchants")).toMatchObject({ body: { data: [] } });
    expect(await world.get(`/api/v1/merchants/${id}`)).toMatchObject({ status: 404 });
    expect(await world.tenant().call("POST", `/api/v1/merchants/${id}/verify`)).toMatchObject({
      status: 404,
    });
    serve(shop, generateJwk("ES256"));
    expect(await tenant.call("POST", `/api/v1/merchants/${id}/verify`)).toMatchObject({
      status: 200,
      body: { verification_status: "verified" },
    });
  });

  test("one origin belongs to one merchant", async () => {
    serve(shop, generateJwk("ES256"));
    const tenant = world.tenant();
    const made = await tenant.call("POST", "/api/v1/merchants", registration(shop));
    const again = await tenant.call("POST", "/api/v1/merchants", registration(shop));
    expect(again).toMatchObject({
      status: 409,
      body: { code: "merchant_origin_taken", merchant_id: (made.body as { id: string }).id },
    });
    const stranger = await world.tenant().call("POST", "/api/v1/merchants", registration(shop));
    expect(stranger).toMatchObject({ status: 409, body: { code: "merchant_origin_taken" } });
    expect(stranger.body).not.toHaveProperty("merchant_id");
  });

  test("a claim that was never proven does not keep the owner out", async () => {
    const squatter = world.tenant();
    const squat = await squatter.call("POST", "/api/v1/merchants", registration(shop));
    serve(shop, generateJwk("ES256"));
    const owner = await world.tenant().call("POST", "/api/v1/merchants", registration(shop));
    expect(owner).toMatchObject({ status: 201, body: { verification_status: "verified" } });
    const late = await squatter.call("POST", `/api/v1/merchants/${(squat.body as { id: string }).id}/verify`);
    expect(late).toMatchObject({ status: 409, body: { code: "merchant_origin_taken" } });
  });

  test("G06 a stranger who registers an origin first is named by its catalogue", async () => {
    const key = generateJwk("ES256");
    serve(shop, key);
    const merchant = newId("merchant");
    const catalogue = makeCatalogue(
      { merchant, merchant_origin: shop.origin, name: "Shop", livemode: false },
      [],
    );
    const body = Buffer.from(JSON.stringify(catalogue));
    const headers = {
      ...signResponse(key, { targetUri: shop.origin + cataloguePath, body, now: world.clock.now() }),
    };
    shop.pages.set(cataloguePath, { status: 200, headers, body });
    const tenant = world.tenant();
    const made = await tenant.call("POST", "/api/v1/merchants", registration(shop));
    expect(made).toMatchObject({ status: 201, body: { verification_status: "provisional" } });
    const verified = await tenant.call(
      "POST",
      `/api/v1/merchants/${(made.body as { id: string }).id}/verify`,
    );
    expect(verified).toMatchObject({ status: 409, body: { code: "merchant_catalogue_mismatch" } });
  });

  test("a tenant cannot write another's row, and needs its scope", async () => {
    expect(
      await world.tenant("directory:read").call("POST", "/api/v1/merchants", registration(shop)),
    ).toMatchObject({ status: 403 });
    const rows = await world.database
      .open()
      .of(newId("tenant"))
      .transaction((tx) =>
        tx.run({ name: "steal", text: "update merchants set display_name = 'mine'", values: [] }),
      );
    expect(rows.count).toBe(0);
  });

  test.each([
    ["keys at another host", { jwks_uri: "https://keys.example/jwks.json" }, 400],
    ["a catalogue at another host", { catalogue_uri: "https://keys.example/catalogue" }, 400],
    ["an origin with a path", { origin: "https://shop.example/x" }, 400],
    ["a payout account", { stripe_connect_account_id: "acct_1" }, 400],
    ["a currency nobody has", { currencies: ["XXX"] }, 400],
    ["no rail", { rails: [] }, 400],
    ["V06 a name that is no text", { display_name: "a\u0000b" }, 400],
  ])("%s is refused", async (_, more, status) => {
    expect(await world.tenant().call("POST", "/api/v1/merchants", registration(shop, more))).toMatchObject({
      status,
    });
  });

  test("V06 strings of other languages are stored as text", async () => {
    serve(shop, generateJwk("ES256"));
    const display_name = "'); drop table merchants; -- ${7*7} {$gt: 0}";
    const made = await world.tenant().call("POST", "/api/v1/merchants", registration(shop, { display_name }));
    expect(made).toMatchObject({ status: 201, body: { display_name } });
  });
});

describe("the proof of an origin", () => {
  test.each([
    ["nothing there", undefined, "merchant_jwks_unreachable"],
    [
      "a redirect",
      { status: 302, headers: { location: "/elsewhere" }, body: "" },
      "merchant_jwks_unreachable",
    ],
    ["no JSON", { status: 200, body: "<html>" }, "merchant_jwks_invalid"],
    ["no key", { status: 200, body: '{"keys":[]}' }, "merchant_jwks_invalid"],
    [
      "a private key",
      { status: 200, body: JSON.stringify({ keys: [generateJwk("ES256")] }) },
      "merchant_jwks_invalid",
    ],
    [
      "a key without a kid",
      {
        status: 200,
        body: JSON.stringify({ keys: [{ ...publicJwkOf(generateJwk("ES256")), kid: undefined }] }),
      },
      "merchant_jwks_invalid",
    ],
  ])("%s has its own code", async (_, page, code) => {
    const tenant = world.tenant();
    if (page !== undefined) shop.pages.set("/.well-known/jwks.json", page);
    const made = await tenant.call("POST", "/api/v1/merchants", registration(shop));
    const verified = await tenant.call(
      "POST",
      `/api/v1/merchants/${(made.body as { id: string }).id}/verify`,
    );
    expect(verified).toMatchObject({ status: 422, body: { code } });
  });

  test("an address that the guard refuses is never fetched", async () => {
    const tenant = world.tenant();
    const origin = "http://169.254.169.254";
    const made = await tenant.call(
      "POST",
      "/api/v1/merchants",
      registration(shop, { origin, jwks_uri: `${origin}/latest/meta-data` }),
    );
    expect(made).toMatchObject({ status: 201, body: { verification_status: "provisional" } });
    const verified = await tenant.call(
      "POST",
      `/api/v1/merchants/${(made.body as { id: string }).id}/verify`,
    );
    expect(verified).toMatchObject({ status: 422, body: { code: "merchant_jwks_unreachable" } });
  });

  test("a rotation that keeps an old key is taken over; strangers ask at most every 30 s", async () => {
    const first = generateJwk("ES256");
    const second = generateJwk("ES256");
    serve(shop, first);
    const made = await world.tenant().call("POST", "/api/v1/merchants", registration(shop));
    const { id } = made.body as { id: string };
    serve(shop, first, second);
    const reader = world.tenant("directory:read");
    const kids = (body: unknown): string[] =>
      (body as { jwks: { keys: { kid: string }[] } }).jwks.keys.map((key) => key.kid);
    expect(kids((await reader.call("POST", `/api/v1/merchants/${id}/verify`)).body)).toEqual([
      first.kid,
      second.kid,
    ]);
    serve(shop, second);
    expect(kids((await reader.call("POST", `/api/v1/merchants/${id}/verify`)).body)).toEqual([
      first.kid,
      second.kid,
    ]);
    world.clock.advance(30_000);
    expect(kids((await reader.call("POST", `/api/v1/merchants/${id}/verify`)).body)).toEqual([second.kid]);
  });

  test("G07 keys replaced all at once count only after a day of notice", async () => {
    const [mine, theirs] = [generateJwk("ES256"), generateJwk("ES256")];
    serve(shop, mine);
    const tenant = world.tenant();
    const made = await tenant.call("POST", "/api/v1/merchants", registration(shop));
    const { id } = made.body as { id: string };
    const verify = () => tenant.call("POST", `/api/v1/merchants/${id}/verify`);
    const pinned = async () => (await world.get(`/api/v1/merchants/${id}`)).body;
    serve(shop, theirs);
    expect(await verify()).toMatchObject({ status: 409, body: { code: "merchant_keys_replaced" } });
    expect(await pinned()).toMatchObject({ jwks: { keys: [{ kid: mine.kid }] } });
    world.clock.advance(dayMs - 1);
    expect(await verify()).toMatchObject({ status: 409 });
    world.clock.advance(1);
    expect(await verify()).toMatchObject({ status: 200, body: { jwks: { keys: [{ kid: theirs.kid }] } } });
  });

  test("an origin that is gone keeps its pinned keys", async () => {
    const key = generateJwk("ES256");
    serve(shop, key);
    const tenant = world.tenant();
    const made = await tenant.call("POST", "/api/v1/merchants", registration(shop));
    const { id } = made.body as { id: string };
    shop.pages.clear();
    expect(await tenant.call("POST", `/api/v1/merchants/${id}/verify`)).toMatchObject({ status: 422 });
    expect(await world.get(`/api/v1/merchants/${id}`)).toMatchObject({
      status: 200,
      body: { jwks: { keys: [{ kid: key.kid }] } },
    });
  });
});

describe("the public list", () => {
  test("is narrowed by each filter", async () => {
    serve(shop, generateJwk("ES256"));
    serve(other, generateJwk("ES256"));
    await world
      .tenant()
      .call(
        "POST",
        "/api/v1/merchants",
        registration(shop, { country: "NL", currencies: ["EUR"], categories: ["books"] }),
      );
    await world
      .tenant()
      .call(
        "POST",
        "/api/v1/merchants",
        registration(other, { country: "DE", currencies: ["USD"], categories: ["data"], rails: ["x402"] }),
      );
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
        `('${newId("tenant")}', '${newId("merchant")}', 'M', 'https://m${index}.example', 'cli', 'https://m${index}.example/j', '{"keys":[]}', 'NL', '{EUR}', '{}', '{card}', 'verified', now(), now(), now())`,
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
