import { type Id, newId } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import type { PeerAnswer } from "@remit/platform/peers";
import type { MarketplaceAgent, ToldListing } from "@remit/protocol/contracts";
import { checkCatalogue } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tables } from "../src/index.ts";
import { startWorld, type Tenant, type World } from "./world.ts";

let world: World;
let teller: Tenant;
let operator: Tenant;

beforeAll(async () => {
  world = await startWorld([]);
  teller = world.tenant("directory:write", platformTenant, "authorization-server");
  operator = world.tenant("admin:orgs", platformTenant, newId("client"));
});
afterAll(() => world.close());
beforeEach(async () => {
  const { schema } = world.database;
  await world.database.asAdmin(`truncate ${schema}.listing_words, ${schema}.listings, ${schema}.publishers`);
});

type Agent = NonNullable<ToldListing["agent"]>;
type Facts = NonNullable<Agent["listing"]>;

const factsOf = (id: string, more: Partial<Facts> = {}): Facts => ({
  name: "Resume screener",
  agentType: "screener",
  version: "1.4.0",
  capabilities: ["resume:read", "email:send"],
  deploymentEnv: "production",
  provider: "Example Works",
  did: `did:web:as.example:agents:${id}`,
  didDocument: { id: `did:web:as.example:agents:${id}`, verificationMethod: [] },
  card: { name: "Resume screener", signatures: [{ protected: "p", signature: "s" }] },
  ...more,
});

const publisher = (
  tenant: Id<"tenant">,
  revision = 1,
  standing: "active" | "suspended" | "erased" = "active",
) => ({
  tenant,
  revision,
  standing,
});
const tell = (body: unknown): Promise<PeerAnswer> => teller.call("PUT", "/api/v1/listings", body);
const told = async (body: unknown): Promise<void> => {
  expect((await tell(body)).status).toBe(204);
};

/** A listed agent. */
async function list(more: Partial<Facts> = {}, tenant: Id<"tenant"> = newId("tenant")): Promise<Id<"agent">> {
  const id = newId("agent");
  await told({ publisher: publisher(tenant), agent: { id, revision: 1, listing: factsOf(id, more) } });
  return id;
}

type Page = {
  readonly data: readonly MarketplaceAgent[];
  readonly nextCursor: string | null;
  readonly total?: number;
  readonly facets?: Readonly<Record<string, readonly { value: string; count: number }[]>>;
};

const search = async (query = ""): Promise<Page> => {
  const { status, body } = await world.get(`/api/v1/marketplace/agents${query}`);
  expect(status).toBe(200);
  return body as Page;
};
const idsOf = ({ data }: Page): string[] => data.map(({ agentId }) => agentId);
const read = (id: string) => world.get(`/api/v1/marketplace/agents/${id}`);

describe("what everybody sees", () => {
  test("is exactly these members of a listed agent, in the list and alone", async () => {
    const id = await list();
    const page = await search();
    const { status, body } = await read(id);
    expect(status).toBe(200);
    expect(page).toEqual({ data: [body], nextCursor: null, limit: 20 });
    const { publishedAt, updatedAt, ...rest } = body as MarketplaceAgent;
    expect(rest).toEqual({ agentId: id, ...factsOf(id) });
    for (const at of [publishedAt, updatedAt]) expect(at).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  test("is updated when it says something else, not when the same is told again under another signature", async () => {
    const tenant = newId("tenant");
    const id = await list({}, tenant);
    await world.database.asAdmin(
      `update ${world.database.schema}.listings set updated_at = now() - interval '1 h'`,
    );
    const at = async (): Promise<string> => ((await read(id)).body as MarketplaceAgent).updatedAt;
    const before = await at();
    const again = (revision: number, more: Partial<Facts>): Promise<void> =>
      told({ publisher: publisher(tenant), agent: { id, revision, listing: factsOf(id, more) } });
    const signedAgain = { name: "Resume screener", signatures: [{ protected: "p2", signature: "s2" }] };
    await again(2, { card: signedAgain });
    expect(await at()).toBe(before);
    expect(((await read(id)).body as MarketplaceAgent).card).toEqual(signedAgain);
    await again(3, { card: { ...signedAgain, description: "another" } });
    expect(await at()).not.toBe(before);
  });

  test("is found by words of name and capability, by type, environment and capability, and by all together", async () => {
    const screener = await list();
    const router = await list({
      name: "Über-Router",
      agentType: "router",
      deploymentEnv: "staging",
      capabilities: ["mail:route"],
    });
    for (const [query, found] of [
      ["text=scre", [screener]],
      ["text=SCREENER%20res", [screener]],
      ["text=%C3%BCber", [router]],
      ["text=mail", [router]],
      ["text=email", [screener]],
      ["text=resume%20nothing", []],
      ["text=%25", []],
      ["text=%3Dresume", [screener]],
      ["agentType=router", [router]],
      ["deploymentEnv=production", [screener]],
      ["capability=email:send", [screener]],
      ["capability=email:sen", []],
      ["agentType=screener&deploymentEnv=production&capability=resume:read&text=resume", [screener]],
      ["agentType=screener&deploymentEnv=staging", []],
    ] as const)
      expect([query, idsOf(await search(`?${query}`))]).toEqual([query, found]);
  });

  test("V06 a text is a text, whatever stands in it", async () => {
    const name = "'; drop table listings; -- ${x} $where __proto__";
    const id = await list({ name });
    expect((await search("?text=drop%20table%20__proto__")).data).toMatchObject([{ agentId: id, name }]);
  });

  test("is counted by what it could be narrowed by, for the filter that was asked", async () => {
    await list();
    await list({ agentType: "router", capabilities: ["resume:read"] });
    await list({ agentType: "router", deploymentEnv: "staging", capabilities: ["mail:route"] });
    expect((await search("?facets=true")).facets).toEqual({
      agentType: [
        { value: "router", count: 2 },
        { value: "screener", count: 1 },
      ],
      deploymentEnv: [
        { value: "production", count: 2 },
        { value: "staging", count: 1 },
      ],
      capability: [
        { value: "resume:read", count: 2 },
        { value: "email:send", count: 1 },
        { value: "mail:route", count: 1 },
      ],
    });
    const narrowed = await search("?facets=true&deploymentEnv=staging&limit=1");
    expect(narrowed.facets).toMatchObject({ agentType: [{ value: "router", count: 1 }] });
    expect((await search()).facets).toBeUndefined();
  });

  test("comes in pages by cursor, each once, or by number with the total", async () => {
    const ids: string[] = [];
    for (const _ of Array(5)) ids.unshift(await list());
    const first = await search("?limit=2");
    const second = await search(`?limit=2&cursor=${first.nextCursor}`);
    const third = await search(`?limit=2&cursor=${second.nextCursor}`);
    expect([first, second, third].flatMap(idsOf)).toEqual(ids);
    expect(third.nextCursor).toBeNull();
    const numbered = await search("?limit=2&page=3");
    expect({ ids: idsOf(numbered), total: numbered.total }).toEqual({ ids: ids.slice(4), total: 5 });
  });

  test("V07 a cursor of another filter, or one that was changed, is none of this list", async () => {
    for (const _ of Array(2)) await list();
    const { nextCursor } = await search("?limit=1");
    for (const query of [
      `limit=1&agentType=screener&cursor=${nextCursor}`,
      `cursor=${nextCursor}x`,
      "cursor=a.b",
    ])
      expect((await world.get(`/api/v1/marketplace/agents?${query}`)).body).toMatchObject({
        status: 400,
        code: "cursor_invalid",
      });
  });

  test("is asked for within limits, and without members that nobody knows", async () => {
    for (const query of [
      "limit=0",
      "limit=101",
      "page=0",
      "page=1001",
      "agentType=spy",
      "owner=x",
      "capability=x",
      "facets=maybe",
    ])
      expect([query, (await world.get(`/api/v1/marketplace/agents?${query}`)).status]).toEqual([query, 400]);
    expect((await read("agt_01h00000000000000000000000")).status).toBe(404);
    expect((await read("org_x")).status).toBe(400);
  });

  test("has a tag, and is asked about again each time, so that what is withdrawn is gone at once", async () => {
    const id = await list();
    for (const path of ["/api/v1/marketplace/agents", `/api/v1/marketplace/agents/${id}`]) {
      const first = await fetch(world.address + path);
      expect(first.headers.get("cache-control")).toBe("public, no-cache");
      const known = { "if-none-match": String(first.headers.get("etag")) };
      expect((await fetch(world.address + path, { headers: known })).status).toBe(304);
    }
  });
});

describe("what the authorization server says", () => {
  test("is taken from it alone", async () => {
    const id = newId("agent");
    const body = { publisher: publisher(newId("tenant")), agent: { id, revision: 1, listing: factsOf(id) } };
    for (const other of [
      world.tenant("directory:write"),
      world.tenant("directory:write", platformTenant, "billing"),
      world.tenant("directory:write", platformTenant),
    ])
      expect(await other.call("PUT", "/api/v1/listings", body)).toMatchObject({
        status: 403,
        body: { code: "client_not_allowed" },
      });
    expect((await world.tenant("directory:read").call("PUT", "/api/v1/listings", body)).status).toBe(403);
    expect(await search()).toMatchObject({ data: [] });
  });

  test("is refused with a member too many, an owner's address among them", async () => {
    const id = newId("agent");
    const tenant = newId("tenant");
    for (const wrong of [
      {
        publisher: publisher(tenant),
        agent: { id, revision: 1, listing: { ...factsOf(id), email: "a@b.example" } },
      },
      { publisher: publisher(tenant), agent: { id, revision: 1, listing: { ...factsOf(id), owner: "x" } } },
      { publisher: publisher(tenant), agent: { id, revision: 0, listing: null } },
      { publisher: { tenant, revision: 1, standing: "odd" } },
      { agent: { id, revision: 1, listing: null } },
    ])
      expect((await tell(wrong)).status).toBe(400);
  });

  test("W13 comes in any order and any number of times to the same end", async () => {
    for (const order of permutations([0, 1, 2, 3]).filter((_, i) => i % 3 === 0)) {
      const tenant = newId("tenant");
      const id = newId("agent");
      const last = factsOf(id, { name: "Third" });
      const words: ToldListing[] = [
        { publisher: publisher(tenant, 1), agent: { id, revision: 1, listing: factsOf(id) } },
        { publisher: publisher(tenant, 2, "suspended") },
        { publisher: publisher(tenant, 3), agent: { id, revision: 2, listing: null } },
        { publisher: publisher(tenant, 4), agent: { id, revision: 3, listing: last } },
      ];
      for (const at of [...order, ...order.slice(0, 2)]) await told(words[at]);
      expect((await read(id)).body).toMatchObject({ agentId: id, ...last });
    }
    expect(idsOf(await search("?text=resume%20screener"))).toEqual([]);
  });

  test("W13 an older word never brings back what was withdrawn, also when both come at once", async () => {
    const tenant = newId("tenant");
    const id = newId("agent");
    const listed = { publisher: publisher(tenant, 1), agent: { id, revision: 5, listing: factsOf(id) } };
    const withdrawn = { publisher: publisher(tenant, 2), agent: { id, revision: 6, listing: null } };
    await Promise.all([withdrawn, listed, listed, withdrawn].map(told));
    expect((await read(id)).status).toBe(404);
    await told(listed);
    expect(await search()).toMatchObject({ data: [] });
    const [row] = await world.database.asAdmin(
      `select name, did, card, capabilities, provider from ${world.database.schema}.listings`,
    );
    expect(row).toEqual({ name: null, did: null, card: null, capabilities: [], provider: null });
  });

  test("a publisher that may not act has nothing here, nor what it lists meanwhile, until it may", async () => {
    const tenant = newId("tenant");
    const before = await list({}, tenant);
    const elsewhere = await list();
    await told({ publisher: publisher(tenant, 2, "suspended") });
    const meanwhile = newId("agent");
    // Told of by a process that had not heard of the suspension yet.
    await told({
      publisher: publisher(tenant, 1),
      agent: { id: meanwhile, revision: 1, listing: factsOf(meanwhile) },
    });
    expect(idsOf(await search())).toEqual([elsewhere]);
    expect((await read(before)).status).toBe(404);
    await told({ publisher: publisher(tenant, 3) });
    expect(idsOf(await search()).sort()).toEqual([before, elsewhere, meanwhile].sort());
  });

  test("of a publisher that was erased nothing stays", async () => {
    const tenant = newId("tenant");
    const id = await list({ name: "Erased name" }, tenant);
    await told({ publisher: publisher(tenant, 2, "erased") });
    await told({
      publisher: publisher(tenant, 1),
      agent: { id, revision: 9, listing: factsOf(id, { name: "Erased name" }) },
    });
    expect((await read(id)).status).toBe(404);
    const left = await world.database.asAdmin<{ text: string }>(
      `select row_to_json(l)::text as text from ${world.database.schema}.listings l
       union all select word from ${world.database.schema}.listing_words`,
    );
    expect(JSON.stringify(left)).not.toMatch(/erased name|resume|did:web/i);
  });
});

describe("the operator", () => {
  const path = (id: string): string => `/api/v1/marketplace/agents/${id}/moderation`;

  test("hides a listing, whatever its publisher says, and shows it again; the reason is the operator's alone", async () => {
    const tenant = newId("tenant");
    const id = await list({}, tenant);
    const hidden = await operator.call("PUT", path(id), { hidden: true, reason: "Pretends to be a bank." });
    expect(hidden).toMatchObject({
      status: 200,
      body: { agentId: id, hidden: true, reason: "Pretends to be a bank." },
    });
    await told({
      publisher: publisher(tenant),
      agent: { id, revision: 2, listing: factsOf(id, { name: "A bank" }) },
    });
    await told({ publisher: publisher(tenant), agent: { id, revision: 3, listing: null } });
    await told({ publisher: publisher(tenant), agent: { id, revision: 4, listing: factsOf(id) } });
    expect((await read(id)).status).toBe(404);
    expect(await search("?facets=true")).toMatchObject({ data: [], facets: { agentType: [] } });
    expect((await operator.call("GET", path(id))).body).toEqual(hidden.body);
    const again = await operator.call("PUT", path(id), { hidden: false });
    expect(again.body).toEqual({ agentId: id, hidden: false, reason: null, since: null });
    expect(idsOf(await search())).toEqual([id]);
    const events = await world.database.asAdmin<{ type: string; tenant_id: string; payload: unknown }>(
      `select type, tenant_id, payload from ${world.database.schema}.outbox where subject = $1 order by at`,
      [id],
    );
    expect(events).toEqual([
      { type: "listing.hidden", tenant_id: tenant, payload: { agent: id } },
      { type: "listing.shown", tenant_id: tenant, payload: { agent: id } },
    ]);
  });

  test("alone may, and gives a reason when hiding", async () => {
    const tenant = newId("tenant");
    const id = await list({}, tenant);
    const owner = world.tenant("admin:orgs", tenant);
    for (const method of ["GET", "PUT"] as const)
      expect(
        await owner.call(method, path(id), method === "PUT" ? { hidden: true, reason: "x" } : undefined),
      ).toMatchObject({ status: 403, body: { code: "forbidden" } });
    for (const body of [
      { hidden: true },
      { hidden: false, reason: "x" },
      { hidden: true, reason: "x", note: 1 },
      {},
    ])
      expect((await operator.call("PUT", path(id), body)).status).toBe(400);
    expect((await operator.call("PUT", path(newId("agent")), { hidden: false })).status).toBe(404);
  });
});

test("T03 the marketplace's tables are protected as declared", async () => {
  expect(await checkCatalogue(world.database, tables)).toEqual([]);
});

function permutations<T>(all: readonly T[]): T[][] {
  if (all.length === 0) return [[]];
  return all.flatMap((one, i) => permutations(all.filter((_, j) => j !== i)).map((rest) => [one, ...rest]));
}
