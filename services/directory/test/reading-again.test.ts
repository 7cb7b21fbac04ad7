import { dayMs, minuteMs, toNumericDate } from "@remit/kernel";
import { publicJwkOf } from "@remit/protocol";
import { generateJwk, thumbprint } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { idIn, name, serve, settle, verify } from "./shops.ts";
import { type Host, startHost, startWorld, type World } from "./world.ts";

let shop: Host;
let world: World;

beforeAll(async () => {
  shop = await startHost();
  world = await startWorld([shop]);
});
afterAll(async () => {
  await world.close();
  await shop.close();
});
beforeEach(async () => {
  shop.pages.clear();
  await world.database.asAdmin(`truncate ${world.database.schema}.merchants`);
});

const kidsOf = async (id: string): Promise<unknown[]> => {
  const { body } = await world.get(`/api/v1/merchants/${id}`);
  // The contract of the route says what it holds.
  return (body as { jwks: { keys: { kid: string }[] } }).jwks.keys.map(({ kid }) => kid);
};

describe("what an origin serves is read again though nobody asks", () => {
  test("G07 a stolen key ends when its merchant drops it, without a word to the directory", async () => {
    const [stolen, good] = [generateJwk("ES256"), generateJwk("EdDSA")];
    serve(shop, stolen, good);
    const id = idIn(await settle(world.tenant(), shop));
    serve(shop, good);
    // Its word alone is enough to drop a key: whatever names the merchant may be away meanwhile.
    shop.pages.delete("/.well-known/oid4ac-merchant");
    world.clock.advance(6 * minuteMs);
    await eventually(async () => expect(await kidsOf(id)).toEqual([good.kid]));
  });

  test("G07 an only key that was stolen ends though the new one has still to be confirmed", async () => {
    const [stolen, good] = [generateJwk("ES256"), generateJwk("ES256")];
    serve(shop, stolen);
    const id = idIn(await settle(world.tenant(), shop));
    serve(shop, good);
    world.clock.advance(6 * minuteMs);
    await eventually(async () => expect(await kidsOf(id)).toEqual([]));
    world.clock.advance(dayMs);
    await eventually(async () => expect(await kidsOf(id)).toEqual([good.kid]));
  });

  test("a new key counts only where the origin still names the merchant", async () => {
    const [first, second] = [generateJwk("ES256"), generateJwk("ES256")];
    serve(shop, first);
    const tenant = world.tenant();
    const id = idIn(await settle(tenant, shop));
    serve(shop, first, second);
    shop.pages.delete("/.well-known/oid4ac-merchant");
    world.clock.advance(6 * minuteMs);
    await eventually(async () => expect(await failuresOf(id)).toBe(1));
    expect(await kidsOf(id)).toEqual([first.kid]);
    name(shop, { id, client_id: tenant.client });
    world.clock.advance(20 * minuteMs);
    await eventually(async () => expect(await kidsOf(id)).toEqual([first.kid, second.kid]));
    expect(await failuresOf(id)).toBe(0);
  });

  test("an origin that is away is asked ever more slowly", async () => {
    serve(shop, generateJwk("ES256"));
    const id = idIn(await settle(world.tenant(), shop));
    shop.pages.clear();
    for (let failures = 1; failures <= 3; failures++) {
      world.clock.advance(1.2 * 2 ** (failures - 1) * 5 * minuteMs + minuteMs);
      await eventually(async () => expect(await failuresOf(id)).toBe(failures));
    }
    const [{ waits } = { waits: 0 }] = await world.database.asAdmin<{ waits: number }>(
      `select extract(epoch from read_again_at)::float8 * 1000 as waits from ${world.database.schema}.merchants`,
    );
    expect(waits - world.clock.now()).toBeGreaterThan(30 * minuteMs);
  });
});

const failuresOf = async (id: string): Promise<number | undefined> => {
  const [row] = await world.database.asAdmin<{ read_failures: number }>(
    `select read_failures from ${world.database.schema}.merchants where id = '${id}'`,
  );
  return row?.read_failures;
};

describe("keys that a person confirms", () => {
  const strong = () => ({ acr: "urn:remit:aal2", auth_time: toNumericDate(world.clock.now()) });

  test("G07 an only key that was stolen is replaced at once by whom the shop belongs to", async () => {
    const [stolen, good] = [generateJwk("ES256"), generateJwk("ES256")];
    serve(shop, stolen);
    const tenant = world.tenant();
    const id = idIn(await settle(tenant, shop));
    serve(shop, good);
    expect(await verify(tenant, id)).toMatchObject({ status: 409, body: { code: "merchant_keys_replaced" } });
    const body = { thumbprints: [thumbprint(publicJwkOf(good))] };
    expect(
      await world.person(tenant.id, strong()).call("POST", `/api/v1/merchants/${id}/keys`, body),
    ).toMatchObject({ status: 200, body: { jwks: { keys: [{ kid: good.kid }] } } });
    expect(await kidsOf(id)).toEqual([good.kid]);
    // The thief, who can serve nothing at the origin, is not brought back by another reading.
    expect(await verify(tenant, id)).toMatchObject({
      status: 200,
      body: { jwks: { keys: [{ kid: good.kid }] } },
    });
  });

  test("G07 are exactly those that the person named: what somebody else put there does not count", async () => {
    const [mine, good, theirs] = [generateJwk("ES256"), generateJwk("ES256"), generateJwk("ES256")];
    serve(shop, mine);
    const tenant = world.tenant();
    const id = idIn(await settle(tenant, shop));
    const body = { thumbprints: [thumbprint(publicJwkOf(good))] };
    const confirm = () =>
      world.person(tenant.id, strong()).call("POST", `/api/v1/merchants/${id}/keys`, body);
    const refused = { status: 409, body: { code: "merchant_keys_not_as_named" } };
    serve(shop, theirs);
    expect(await confirm()).toMatchObject(refused);
    serve(shop, good, theirs);
    expect(await confirm()).toMatchObject(refused);
    expect(await kidsOf(id)).toEqual([mine.kid]);
  });

  test("G07 need a person of that organization, who has just shown that it is them", async () => {
    const [mine, good] = [generateJwk("ES256"), generateJwk("ES256")];
    serve(shop, mine);
    const tenant = world.tenant();
    const id = idIn(await settle(tenant, shop));
    serve(shop, good);
    const at = `/api/v1/merchants/${id}/keys`;
    const body = { thumbprints: [thumbprint(publicJwkOf(good))] };
    const weak = { ...strong(), acr: "urn:remit:aal1" };
    const long = { ...strong(), auth_time: toNumericDate(world.clock.now()) - 301 };
    const other = world.tenant().id;
    expect(await world.person(tenant.id, weak).call("POST", at, body)).toMatchObject({ status: 401 });
    expect(await world.person(tenant.id, long).call("POST", at, body)).toMatchObject({ status: 401 });
    expect(await world.person(other, strong()).call("POST", at, body)).toMatchObject({ status: 404 });
    expect(await tenant.call("POST", at, body)).toMatchObject({ status: 403 });
    expect(await kidsOf(id)).toEqual([mine.kid]);
  });
});
