import { newId } from "@remit/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sweepEnded } from "../src/delegations/delegations.sql.ts";
import { chainMax } from "../src/delegations/delegations.ts";
import { callApi } from "./api.ts";
import { type Answer, newClient, type OAuthClient } from "./client.ts";
import { type Running, startServer } from "./running.ts";

// What a chain of delegations may cost: to end it takes one transaction, with a lock for each link that stands.

let running: Running;
let ann: OAuthClient;
let ben: OAuthClient;
let cal: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  [ann, ben, cal] = [
    await newClient(running, "agent"),
    await newClient(running, "agent"),
    await newClient(running, "agent"),
  ];
});
afterAll(() => running.close());

type Link = { readonly id: string; readonly token: string };

const own = async (client: OAuthClient): Promise<string> =>
  String((await client.credentials({ resource: running.issuer })).body["access_token"]);

async function delegate(from: OAuthClient, to: OAuthClient, under?: Link): Promise<Answer> {
  const on = under === undefined ? {} : { delegationToken: under.token };
  const body = { delegateeAgentId: to.id, scopes: ["oid4ac:payment"], ttlSeconds: 3_600, ...on };
  const path = "/api/v1/token/delegate";
  return callApi(running, { token: await own(from), key: from.keys.dpop, method: "POST", path, body });
}

function linkOf({ status, body }: Answer): Link {
  if (status !== 201) throw new Error(JSON.stringify(body));
  return { id: String(body["chainId"]), token: String(body["delegationToken"]) };
}

const end = async (client: OAuthClient, { id }: Link): Promise<number> => {
  const path = `/api/v1/token/delegate/${id}`;
  const call = { token: await own(client), key: client.keys.dpop, method: "DELETE", path } as const;
  return (await callApi(running, call)).status;
};

/** As many links handed on from this one as a call for each would have made. */
async function addBelow({ id }: Link, count: number, ends = "1 hour"): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId("delegation"));
  await running.database.asAdmin(
    `insert into delegations (tenant_id, id, chain_id, parent_id, depth, delegator, delegatee, offer_jti, subject,
      audience, scopes, created_at, expires_at)
    select tenant_id, added, chain_id, id, depth + 1, delegatee, $3, added, subject, audience, scopes, created_at,
      now() + $4::interval
    from delegations, unnest($2::text[]) as added where id = $1`,
    [id, ids, cal.id, ends],
  );
  return ids;
}

const idsIn = async (chain: string): Promise<string[]> => {
  const rows = await running.database.asAdmin<{ id: string }>(
    "select id from delegations where chain_id = $1",
    [chain],
  );
  return rows.map(({ id }) => id).toSorted();
};

test("G05 nobody hands on so much that it cannot be ended: a chain has room for so many links, and gets it back", async () => {
  const first = linkOf(await delegate(ann, ben));
  const added = await addBelow(first, chainMax - 2);
  const last = linkOf(await delegate(ben, cal, first));
  const beyond = await delegate(ben, cal, first);
  expect(beyond).toMatchObject({ status: 409, body: { code: "delegation_limit_reached" } });
  expect((await delegate(ann, ben)).status).toBe(201);

  expect(await end(ben, last)).toBe(204);
  expect((await delegate(ben, cal, first)).status).toBe(201);
  expect((await delegate(ben, cal, first)).status).toBe(409);
  await running.database.asAdmin("update delegations set expires_at = now() where id = $1", [added[0]]);
  expect((await delegate(ben, cal, first)).status).toBe(201);
  expect(await end(ann, first)).toBe(204);
});

test("G05 to end a delegation takes a lock for what stands below it, and for nothing that has ended", async () => {
  const first = linkOf(await delegate(ann, ben));
  await addBelow(first, 300, "-1 second");
  const standing = await addBelow(first, 3);
  expect(await end(ann, first)).toBe(204);
  const rows = await running.database.asAdmin<{ key: string }>(
    "select r.key from token_revocations r join delegations d on r.key = 'delegation:' || d.id where d.chain_id = $1",
    [first.id],
  );
  const ended = [first.id, ...standing].map((id) => `delegation:${id}`);
  expect(rows.map(({ key }) => key).toSorted()).toEqual(ended.toSorted());
});

test("G05 links that ended a week ago are swept, those below them first, and no others", async () => {
  const [gone, kept] = [linkOf(await delegate(ann, ben)), linkOf(await delegate(ann, ben))];
  await addBelow(gone, 5, "-8 days");
  await running.database.asAdmin(
    "update delegations set expires_at = now() - interval '8 days' where id = $1",
    [gone.id],
  );
  const old = await addBelow(kept, 2, "-8 days");
  const recent = await addBelow(kept, 2, "-6 days");
  const db = running.database.open();
  const sweep = (): Promise<number> => db.relay.transaction((tx) => sweepEnded(tx, 4));
  const counts: number[] = [];
  for (let count = await sweep(); count > 0; count = await sweep()) counts.push(count);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(6 + old.length);
  expect(await idsIn(gone.id)).toEqual([]);
  expect(await idsIn(kept.id)).toEqual([kept.id, ...recent].toSorted());
});
