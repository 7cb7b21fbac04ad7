import { dayMs, newId } from "@remit/kernel";
import { cataloguePath, makeCatalogue, publicJwkOf } from "@remit/protocol";
import { generateJwk, signResponse } from "@remit/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { idIn, merchants, name, register, serve, settle, verify } from "./shops.ts";
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

beforeEach(async () => {
  shop.pages.clear();
  other.pages.clear();
  await world.database.asAdmin(`truncate ${world.database.schema}.merchants`);
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
    expect(await settle(tenant, shop)).toMatchObject({ status: 422, body: { code } });
  });

  test("an address that the guard refuses is never fetched", async () => {
    const tenant = world.tenant();
    const origin = "http://169.254.169.254";
    const made = await register(tenant, shop, { origin, jwks_uri: `${origin}/.well-known/jwks.json` });
    expect(made).toMatchObject({ status: 201, body: { verification_status: "provisional" } });
    expect(await verify(tenant, idIn(made))).toMatchObject({
      status: 422,
      body: { code: "merchant_jwks_unreachable" },
    });
  });

  test.each<[string, (id: string, client_id: string) => string]>([
    ["names nobody", () => '{"merchants":[]}'],
    ["names another merchant", (_, client_id) => merchants({ id: newId("merchant"), client_id })],
    ["names another client", (id) => merchants({ id, client_id: newId("client") })],
    [
      "names both, of two merchants",
      (id, client_id) => merchants({ id, client_id: "x" }, { id: newId("merchant"), client_id }),
    ],
    ["says more than it may", (id, client_id) => merchants({ id, client_id, jwks_uri: "https://a.example" })],
    ["has a member of its own", (id, client_id) => JSON.stringify({ merchants: [{ id, client_id }], x: 1 })],
    ["names a member twice", (id, client_id) => `{"merchants":[],${merchants({ id, client_id }).slice(1)}`],
    ["is a bare list", (id, client_id) => JSON.stringify([{ id, client_id }])],
    ["is no JSON", () => "<html>"],
    ["is too long", (id, client_id) => merchants({ id, client_id }) + " ".repeat(16 * 1024)],
  ])("G06 a document that %s proves nothing", async (_, document) => {
    serve(shop, generateJwk("ES256"));
    const tenant = world.tenant();
    const id = idIn(await register(tenant, shop));
    shop.pages.set("/.well-known/oid4ac-merchant", { status: 200, body: document(id, tenant.client) });
    expect(await verify(tenant, id)).toMatchObject({ status: 422, body: { code: "merchant_proof_missing" } });
    expect(await world.get("/api/v1/merchants")).toMatchObject({ body: { data: [] } });
  });

  test("G06 a redirect proves nothing", async () => {
    serve(shop, generateJwk("ES256"));
    const tenant = world.tenant();
    const id = idIn(await settle(tenant, shop));
    name(other, { id, client_id: tenant.client });
    const location = `${other.origin}/.well-known/oid4ac-merchant`;
    shop.pages.set("/.well-known/oid4ac-merchant", { status: 302, headers: { location }, body: "" });
    expect(await verify(tenant, id)).toMatchObject({ status: 422, body: { code: "merchant_proof_missing" } });
  });

  test("G06 a stranger who registers a shop's origin first is never verified, and the owner is", async () => {
    serve(shop, generateJwk("ES256"));
    const squatter = world.tenant();
    const squat = idIn(await register(squatter, shop));
    const refused = { status: 422, body: { code: "merchant_proof_missing" } };
    expect(await verify(squatter, squat)).toMatchObject(refused);
    expect(await settle(world.tenant(), shop)).toMatchObject({ body: { verification_status: "verified" } });
    expect(await verify(squatter, squat)).toMatchObject(refused);
  });

  test("G06 the owner takes its origin back from one who was verified without being named", async () => {
    serve(shop, generateJwk("ES256"));
    const squatter = world.tenant();
    const squat = idIn(await settle(squatter, shop));
    // As the directory verified before it asked origins to name their merchants.
    await world.database.asAdmin(`update ${world.database.schema}.merchants set proven_at = null`);
    const owner = world.tenant();
    const id = idIn(await register(owner, shop));
    expect(await verify(owner, id)).toMatchObject({ status: 422 });
    expect(await world.get(`/api/v1/merchants/${squat}`)).toMatchObject({ status: 200 });
    name(shop, { id, client_id: owner.client });
    expect(await verify(owner, id)).toMatchObject({ status: 200, body: { verification_status: "verified" } });
    expect(await world.get(`/api/v1/merchants/${squat}`)).toMatchObject({ status: 404 });
    expect(await verify(squatter, squat)).toMatchObject({ status: 422 });
  });

  test("one that was verified before is proven by the next check, and then keeps its origin", async () => {
    serve(shop, generateJwk("ES256"));
    const tenant = world.tenant();
    const merchant = idIn(await settle(tenant, shop));
    await world.database.asAdmin(`update ${world.database.schema}.merchants set proven_at = null`);
    const stranger = world.tenant();
    const id = idIn(await register(stranger, shop));
    expect(await verify(tenant, merchant)).toMatchObject({ status: 200 });
    name(shop, { id, client_id: stranger.client });
    expect(await verify(stranger, id)).toMatchObject({
      status: 409,
      body: { code: "merchant_origin_taken" },
    });
    expect(await world.get(`/api/v1/merchants/${merchant}`)).toMatchObject({ status: 200 });
  });

  test("G06 a catalogue that names somebody else is a mismatch", async () => {
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
    expect(await settle(world.tenant(), shop)).toMatchObject({
      status: 409,
      body: { code: "merchant_catalogue_mismatch" },
    });
  });

  test("a rotation that keeps an old key is taken over; strangers ask at most every 30 s", async () => {
    const first = generateJwk("ES256");
    const second = generateJwk("ES256");
    serve(shop, first);
    const id = idIn(await settle(world.tenant(), shop));
    serve(shop, first, second);
    world.clock.advance(30_000);
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
    const id = idIn(await settle(tenant, shop));
    const pinned = async () => (await world.get(`/api/v1/merchants/${id}`)).body;
    serve(shop, theirs);
    expect(await verify(tenant, id)).toMatchObject({ status: 409, body: { code: "merchant_keys_replaced" } });
    // Neither counts: the origin serves mine no more.
    expect(await pinned()).toMatchObject({ jwks: { keys: [] } });
    world.clock.advance(dayMs - 1);
    expect(await verify(tenant, id)).toMatchObject({ status: 409 });
    world.clock.advance(1);
    expect(await verify(tenant, id)).toMatchObject({
      status: 200,
      body: { jwks: { keys: [{ kid: theirs.kid }] } },
    });
  });

  test("G07 keys that came back within the notice count again, and those that waited do not", async () => {
    const [mine, theirs] = [generateJwk("ES256"), generateJwk("ES256")];
    serve(shop, mine);
    const tenant = world.tenant();
    const id = idIn(await settle(tenant, shop));
    serve(shop, theirs);
    expect(await verify(tenant, id)).toMatchObject({ status: 409 });
    serve(shop, mine);
    const back = { status: 200, body: { jwks: { keys: [{ kid: mine.kid }] } } };
    expect(await verify(tenant, id)).toMatchObject(back);
    world.clock.advance(dayMs);
    serve(shop, theirs);
    expect(await verify(tenant, id)).toMatchObject({ status: 409 });
  });

  test("an origin that is gone keeps its pinned keys", async () => {
    const key = generateJwk("ES256");
    serve(shop, key);
    const tenant = world.tenant();
    const id = idIn(await settle(tenant, shop));
    shop.pages.clear();
    expect(await tenant.call("POST", `/api/v1/merchants/${id}/verify`)).toMatchObject({ status: 422 });
    expect(await world.get(`/api/v1/merchants/${id}`)).toMatchObject({
      status: 200,
      body: { jwks: { keys: [{ kid: key.kid }] } },
    });
  });
});
