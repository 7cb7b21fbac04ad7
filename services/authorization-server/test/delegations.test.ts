import { createHash } from "node:crypto";
import { type Id, newId, parseId, systemClock } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Delegation, pathTo, revokeDelegation, stateOf } from "../src/delegations/index.ts";
import { callApi } from "./api.ts";
import { type Answer, callAsAdmin, newClient, OAuthClient } from "./client.ts";
import { exchange, obtainCode, shop } from "./consent.ts";
import { type Running, startServer } from "./running.ts";

const accessToken = "urn:ietf:params:oauth:token-type:access_token";
const grantType = "urn:ietf:params:oauth:grant-type:token-exchange";

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

const fail = (): never => {
  throw new Error("not an id");
};
const tokenOf = (answer: Answer): string => {
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return String(answer.body["access_token"]);
};
const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));

const own = async (client: OAuthClient, resource = running.issuer): Promise<string> =>
  tokenOf(await client.credentials({ resource }));

type Form = Readonly<Record<string, string>>;

const swap = (client: OAuthClient, token: string, form: Form = {}): Promise<Answer> =>
  client.post("/oauth/token", {
    grant_type: grantType,
    subject_token: token,
    subject_token_type: accessToken,
    ...form,
  });

const offerTo = (client: OAuthClient, to: OAuthClient, token: string, form: Form = {}): Promise<Answer> =>
  swap(client, token, { requested_actor: to.id, ...form });

/** The next link: an offer and its exchange. */
const hand = async (from: OAuthClient, to: OAuthClient, token: string): Promise<string> =>
  tokenOf(await swap(to, tokenOf(await offerTo(from, to, token))));

const mandatesRead = async (client: OAuthClient, token: string): Promise<number> =>
  (await callApi(running, { token, key: client.keys.dpop, path: "/api/v1/mandates" })).status;

describe("token exchange between agents (RFC 8693)", () => {
  test("the current actor stands outermost in act, who acted before it within", async () => {
    const first = await hand(ann, ben, await own(ann));
    const second = await hand(ben, cal, first);
    expect(claimsOf(first)).toMatchObject({ sub: ann.id, client_id: ben.id, act: { sub: ben.id } });
    expect(claimsOf(second)).toMatchObject({
      iss: running.issuer,
      aud: running.issuer,
      sub: ann.id,
      client_id: cal.id,
      organization_id: running.tenant,
      livemode: false,
      act: { sub: cal.id, act: { sub: ben.id } },
    });
    expect(claimsOf(second)).not.toHaveProperty("may_act");
    expect(parseId("delegation", claimsOf(second)["delegation"])).toBeDefined();
    expect(claimsOf(second)["exp"]).toBeLessThanOrEqual(Number(claimsOf(first)["exp"]));
    expect(await mandatesRead(cal, second)).toBe(200);
  });

  test("the answer says what was issued, for 300 s at most and without a refresh token", async () => {
    const offered = tokenOf(await offerTo(ann, ben, await own(ann)));
    const answer = await swap(ben, offered);
    expect(answer.body).toMatchObject({
      issued_token_type: accessToken,
      token_type: "DPoP",
      scope: "oid4ac:payment",
    });
    expect(answer.body["expires_in"]).toBeGreaterThan(290);
    expect(answer.body["expires_in"]).toBeLessThanOrEqual(300);
    expect(answer.body).not.toHaveProperty("refresh_token");
    expect(answer.headers.get("cache-control")).toContain("no-store");
  });

  test("a token got for the issuer is exchanged for a merchant's origin; one for a merchant leads nowhere else", async () => {
    const offered = tokenOf(await offerTo(ann, ben, await own(ann)));
    for (const form of [{ resource: shop }, { audience: shop }] as Form[])
      expect(claimsOf(tokenOf(await swap(ben, offered, form)))["aud"]).toBe(shop);
    const bound = tokenOf(await offerTo(ann, ben, await own(ann, shop)));
    for (const form of [
      { resource: "https://other.example" },
      { resource: shop, audience: "https://x.example" },
    ])
      expect((await swap(ben, bound, form)).body["error"]).toBe("invalid_target");
    expect(claimsOf(tokenOf(await swap(ben, bound)))["aud"]).toBe(shop);
  });

  test("an actor token that says the same as the authentication is taken, and no other", async () => {
    const offered = tokenOf(await offerTo(ann, ben, await own(ann)));
    const actor = { actor_token_type: accessToken };
    expect((await swap(ben, offered, { ...actor, actor_token: await own(ben) })).status).toBe(200);
    for (const form of [
      { ...actor, actor_token: await own(cal) },
      { ...actor, actor_token: "nonsense" },
      actor,
      { actor_token: await own(ben) },
    ] as Form[])
      expect((await swap(ben, offered, form)).body["error"]).toBe("invalid_request");
  });

  test("each step stands in the audit log", async () => {
    const token = claimsOf(await hand(ann, ben, await own(ann)));
    const events = (subject: unknown) =>
      running.database.asAdmin<{ event: string }>("select event from audit_rows where subject = $1", [
        subject,
      ]);
    expect(await events(token["delegation"])).toEqual([{ event: "delegation.granted" }]);
    expect(await events(token["jti"])).toEqual([{ event: "token.issued" }]);
  });
});

describe("G04 a token is of no use to whom it does not name", () => {
  test("G04 an agent that got hold of another's token cannot exchange it", async () => {
    const token = await own(ann);
    expect(await swap(ben, token)).toMatchObject({ status: 400, body: { error: "invalid_request" } });
  });

  test("G04 an offer to one agent is nothing to a third, and none to a merchant", async () => {
    const offered = tokenOf(await offerTo(ann, ben, await own(ann)));
    expect((await swap(cal, offered)).body["error"]).toBe("invalid_request");
    const merchant = await newClient(running, "merchant");
    expect((await swap(merchant, offered)).status).toBe(400);
  });

  test("G04 nobody offers another agent's token, not even one that was offered to it", async () => {
    const token = await own(ann);
    expect((await offerTo(ben, cal, token)).body["error"]).toBe("invalid_request");
    const offered = tokenOf(await offerTo(ann, ben, token));
    expect((await offerTo(ben, cal, offered)).body["error"]).toBe("invalid_request");
    expect((await offerTo(ann, cal, offered)).body["error"]).toBe("invalid_request");
  });

  test("G04 the offer itself is bound to the delegator's key: the delegatee cannot use it as it is", async () => {
    const offered = tokenOf(await offerTo(ann, ben, await own(ann)));
    expect(await mandatesRead(ben, offered)).toBe(401);
    expect(await mandatesRead(ann, offered)).toBe(200);
  });
});

describe("G05 delegation only narrows", () => {
  test("G05 a scope that the token lacks is refused, at the offer and at the exchange", async () => {
    const token = await own(ann);
    for (const scope of ["agents:write", "oid4ac:payment agents:read", "wallet:write", "unheard:of"]) {
      expect((await offerTo(ann, ben, token, { scope })).body["error"]).toBe("invalid_scope");
      const offered = tokenOf(await offerTo(ann, ben, token));
      expect((await swap(ben, offered, { scope })).body["error"]).toBe("invalid_scope");
    }
  });

  test("G05 no agent delegates to itself, and none comes twice in a chain", async () => {
    const token = await own(ann);
    expect((await offerTo(ann, ann, token)).body["error"]).toBe("invalid_request");
    expect((await swap(ann, token)).body["error"]).toBe("invalid_request");
    const second = await hand(ben, cal, await hand(ann, ben, token));
    for (const earlier of [ann, ben, cal])
      expect((await offerTo(cal, earlier, second)).body["error"]).toBe("invalid_request");
  });

  test("G05 an agent of another tenant, an unknown and a suspended one get nothing", async () => {
    const token = await own(ann);
    const stopped = await newClient(running, "agent");
    await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${stopped.id}/suspend` });
    for (const id of [newId("agent"), "agt_nonsense", stopped.id])
      expect((await swap(ann, token, { requested_actor: id })).body["error"]).toBe("invalid_request");
  });

  test("G05 the ninth link is refused", async () => {
    let holder = ann;
    let token = await own(ann);
    for (let link = 1; link <= 8; link++) {
      const next = await newClient(running, "agent");
      token = await hand(holder, next, token);
      holder = next;
    }
    expect(await mandatesRead(holder, token)).toBe(200);
    const ninth = await newClient(running, "agent");
    expect((await offerTo(holder, ninth, token)).body["error"]).toBe("invalid_request");
  });

  test("G05 suspending who delegated ends what it delegated, at every depth, and nothing else", async () => {
    const boss = await newClient(running, "agent");
    const chain = await hand(ben, cal, await hand(boss, ben, await own(boss)));
    const other = await hand(ben, cal, await hand(ann, ben, await own(ann)));
    expect(await mandatesRead(cal, chain)).toBe(200);
    await callAsAdmin(running, { method: "POST", path: `/api/v1/agents/${boss.id}/suspend` });
    expect(await mandatesRead(cal, chain)).toBe(401);
    expect((await offerTo(cal, await newClient(running, "agent"), chain)).body["error"]).toBe(
      "invalid_request",
    );
    expect(await mandatesRead(cal, other)).toBe(200);
  });
});

describe("G05 revoking a link revokes everything below it at once", () => {
  const actor = { type: "client", id: "operator" } as const;
  let db: Database;
  beforeAll(() => {
    db = running.database.open({ record: recordToOutbox });
  });
  const tenant = () => db.of(parseId("tenant", running.tenant) ?? fail());
  const linkOf = (token: string): Id<"delegation"> =>
    parseId("delegation", claimsOf(token)["delegation"]) ?? fail();
  const revoke = (token: string, agent?: string): Promise<Delegation> =>
    tenant().transaction((tx) =>
      revokeDelegation(tx, linkOf(token), { agent, actor, now: systemClock.now() }),
    );

  test("G05 the middle of three links ended: the first stands, the last two are refused within one call", async () => {
    const dan = await newClient(running, "agent");
    const first = await hand(ann, ben, await own(ann));
    const second = await hand(ben, cal, first);
    const offered = tokenOf(await offerTo(cal, dan, second));
    const third = tokenOf(await swap(dan, offered));
    expect(await mandatesRead(dan, third)).toBe(200);
    await revoke(second);
    expect(await mandatesRead(ben, first)).toBe(200);
    expect(await mandatesRead(cal, second)).toBe(401);
    expect(await mandatesRead(dan, third)).toBe(401);
    expect((await swap(dan, offered)).body["error"]).toBe("invalid_request");
    expect((await offerTo(cal, dan, second)).body["error"]).toBe("invalid_request");
    const path = await tenant().transaction((tx) => pathTo(tx, linkOf(third)));
    expect(path.map((link) => stateOf(link, systemClock.now()))).toEqual(["active", "revoked", "revoked"]);
    expect((await revoke(second)).revokedAt).toBe(path[1]?.revokedAt);
  });

  test("G05 only who handed it out revokes a link; for others, and other tenants, it is not there", async () => {
    const second = await hand(ben, cal, await hand(ann, ben, await own(ann)));
    for (const agent of [ann.id, cal.id, newId("agent")])
      await expect(revoke(second, agent)).rejects.toMatchObject({ code: "not_found" });
    const elsewhere = db
      .of(newId("tenant"))
      .transaction((tx) => revokeDelegation(tx, linkOf(second), { actor, now: systemClock.now() }));
    await expect(elsewhere).rejects.toMatchObject({ code: "not_found" });
    expect(await mandatesRead(cal, second)).toBe(200);
    await revoke(second, ben.id);
    expect(await mandatesRead(cal, second)).toBe(401);
  });

  test("G05 no link slips in below one that is being revoked", async () => {
    const first = await hand(ann, ben, await own(ann));
    const later: string[] = [];
    const add = async () => {
      const offered = await offerTo(ben, cal, first);
      if (offered.status !== 200) return;
      const taken = await swap(cal, String(offered.body["access_token"]));
      if (taken.status === 200) later.push(String(taken.body["access_token"]));
    };
    await Promise.all([add(), add(), revoke(first), add(), add()]);
    const rows = await running.database.asAdmin<{ live: number }>(
      "select count(*)::int as live from delegations where chain_id = $1 and revoked_at is null",
      [linkOf(first)],
    );
    expect(rows).toEqual([{ live: 0 }]);
    for (const token of later) expect(await mandatesRead(cal, token)).toBe(401);
  });
});

describe("a person's token", () => {
  test("an agent acts for a person only with a grant of that person to it, also at the end of a chain", async () => {
    const granted = tokenOf(await exchange(ann, await obtainCode(running, ann)));
    expect(claimsOf(granted)["act"]).toEqual({ sub: ann.id });
    const refused = await offerTo(ann, cal, granted);
    expect(refused.body).toMatchObject({ error: "invalid_request" });
    await exchange(ben, await obtainCode(running, ben));
    const token = await hand(ann, ben, granted);
    expect(claimsOf(token)).toMatchObject({
      sub: claimsOf(granted)["sub"],
      client_id: ben.id,
      grant_id: claimsOf(granted)["grant_id"],
      act: { sub: ben.id, act: { sub: ann.id } },
    });
  });

  test("G04 the token of a person's own client is exchanged by nobody, not even by an agent with a grant", async () => {
    const wallet = new OAuthClient(running, "wallet", running.wallet);
    const asked = { scope: "openid wallet:read", resource: running.issuer, authorization_details: "[]" };
    const own = tokenOf(await exchange(wallet, await obtainCode(running, wallet, asked)));
    expect(claimsOf(own)).toMatchObject({ sub: running.account, aud: running.issuer });
    for (const form of [{}, { scope: "wallet:read" }, { requested_actor: cal.id }] as Form[])
      expect((await swap(ann, own, form)).body["error"]).toBe("invalid_request");
    expect((await swap(wallet, own, { requested_actor: ann.id })).body["error"]).toBe("unauthorized_client");
  });
});

describe("A02 what is no live access token of ours is no subject token", () => {
  test("A02 a mandate, a token that was revoked, one with another signature, nonsense, and none", async () => {
    const granted = await exchange(ann, await obtainCode(running, ann));
    const mandate = String(granted.body["mandate_jwt"]).split("~")[0] ?? "";
    const revoked = await own(ann);
    await ann.post("/oauth/revoke", { token: revoked });
    const [head, payload] = (await own(ann)).split(".");
    const forged = `${head}.${payload}.${createHash("sha512").update("x").digest("base64url")}`;
    for (const token of [mandate, revoked, forged, "nonsense", ""])
      expect((await swap(ann, token, { requested_actor: ben.id })).body["error"]).toBe("invalid_request");
  });

  test.each<[string, Form]>([
    ["an ID token by its type", { subject_token_type: "urn:ietf:params:oauth:token-type:id_token" }],
    ["SAML", { subject_token_type: "urn:ietf:params:oauth:token-type:saml2" }],
    ["a refresh token in return", { requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" }],
  ])("A02 %s is refused", async (_, form) => {
    expect((await swap(ben, await own(ann), form)).body["error"]).toBe("invalid_request");
  });

  test("A03 the proof must be of the caller's registered key, and is good once", async () => {
    const offered = tokenOf(await offerTo(ann, ben, await own(ann)));
    const form = { grant_type: grantType, subject_token: offered, subject_token_type: accessToken };
    const authenticated = () => ({
      client_id: ben.id,
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: ben.assertion(),
    });
    const url = ben.url("/oauth/token");
    await ben.learnNonce();
    const other = ben.proof(url, { key: generateJwk("ES256") });
    const wrong = await ben.raw("/oauth/token", { ...form, ...authenticated() }, { dpop: other });
    expect(wrong.body["error"]).toBe("invalid_dpop_proof");
    const proof = ben.proof(url);
    const uses = await Promise.all(
      Array.from({ length: 6 }, () =>
        ben.raw("/oauth/token", { ...form, ...authenticated() }, { dpop: proof }),
      ),
    );
    expect(uses.filter(({ status }) => status === 200)).toHaveLength(1);
  });
});
