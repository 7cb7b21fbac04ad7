import { newId } from "@remit/kernel";
import { publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { type Answer, newClient, type OAuthClient, read } from "./client.ts";
import { agentIn, anotherTenant } from "./fleet.ts";
import { Management } from "./management.ts";
import { adminSecret, freePort, type Running, startServer } from "./running.ts";

// The three calls of the AgentIdP API, which are a front for the chains of token exchange (delegations.test.ts).

const grantType = "urn:ietf:params:oauth:grant-type:token-exchange";
const delegationType = "urn:remit:token-type:delegation";

let running: Running;
let operator: Management;
let metricsPort: number;
let ann: OAuthClient;
let ben: OAuthClient;
let cal: OAuthClient;
let dan: OAuthClient;

beforeAll(async () => {
  metricsPort = await freePort();
  running = await startServer({ metricsPort });
  operator = new Management(running, adminSecret, "agents:read agents:write tokens:read");
  [ann, ben, cal, dan] = [await agent(), await agent(), await agent(), await agent()];
});
afterAll(() => running.close());

const may = ["oid4ac:payment", "agents:read", "audit:read"];

/** An agent with keys that its operator lets do more than pay. */
async function agent(scopes: readonly string[] = may): Promise<OAuthClient> {
  const client = await newClient(running, "agent");
  const all = new Management(running, adminSecret, "agents:write agents:read audit:read");
  const answer = await all.call("PATCH", `/api/v1/agents/${client.id}`, { scopes });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return client;
}

const tokenOf = (answer: Answer): string => {
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return String(answer.body["access_token"]);
};
const owned = new Map<string, string>();
async function own(client: OAuthClient, scope = "agents:read audit:read"): Promise<string> {
  const before = owned.get(client.id + scope);
  if (before !== undefined) return before;
  const token = tokenOf(await client.credentials({ resource: running.issuer, scope }));
  owned.set(client.id + scope, token);
  return token;
}

type At = { readonly token?: string; readonly at?: string };

async function delegate(from: OAuthClient, to: string, body: object = {}, at: At = {}): Promise<Answer> {
  const token = at.token ?? (await own(from));
  const wish = { delegateeAgentId: to, scopes: ["agents:read"], ttlSeconds: 3_600, ...body };
  const path = `${at.at ?? "/oauth2/token"}/delegate`;
  return callApi(running, { token, key: from.keys.dpop, method: "POST", path, body: wish });
}

type Link = { readonly token: string; readonly id: string };
function linkOf({ status, body }: Answer): Link {
  if (status !== 201) throw new Error(JSON.stringify(body));
  return { token: String(body["delegationToken"]), id: String(body["chainId"]) };
}

const swap = (client: OAuthClient, token: string, form: object = {}): Promise<Answer> =>
  client.post("/oauth/token", {
    grant_type: grantType,
    subject_token: token,
    subject_token_type: delegationType,
    ...form,
  });

const verify = async (delegationToken: string, at = "/oauth2/token"): Promise<Answer["body"]> => {
  const answer = await operator.call("POST", `${at}/verify-delegation`, { delegationToken });
  expect(answer.status).toBe(200);
  return answer.body;
};

const end = async (client: OAuthClient, chain: string): Promise<Answer> =>
  callApi(running, {
    token: await own(client),
    key: client.keys.dpop,
    method: "DELETE",
    path: `/oauth2/token/delegate/${chain}`,
  });

const readsAgents = async (client: OAuthClient, token: string): Promise<number> =>
  (await callApi(running, { token, key: client.keys.dpop, path: "/api/v1/agents" })).status;

/** As the holder learns of it, who proves itself anew. */
const isActive = async (client: OAuthClient, token: string): Promise<unknown> =>
  (await client.post("/oauth/introspect", { token })).body["active"];

/** Each hands on what it got, by the access token that it exchanged its delegation for. */
async function chainOf(agents: readonly OAuthClient[]): Promise<(Link & { readonly access: string })[]> {
  const links: (Link & { readonly access: string })[] = [];
  let [holder] = agents;
  for (const to of agents.slice(1)) {
    if (holder === undefined) break;
    const link = linkOf(
      await delegate(holder, to.id, {}, { ...(links.at(-1) && { token: links.at(-1)?.access ?? "" }) }),
    );
    links.push({ ...link, access: tokenOf(await swap(to, link.token)) });
    holder = to;
  }
  return links;
}

describe("G05 a chain of three delegations", () => {
  test("G05 it works at every link; its middle ended, the last is refused within one call, everywhere", async () => {
    const [first, second, third] = await chainOf([ann, ben, cal, dan]);
    if (first === undefined || second === undefined || third === undefined) throw new Error("no chain");
    for (const [who, { access }] of [
      [ben, first],
      [cal, second],
      [dan, third],
    ] as const)
      expect(await readsAgents(who, access)).toBe(200);
    expect(await isActive(dan, third.access)).toBe(true);
    expect(await verify(third.token)).toMatchObject({
      valid: true,
      reason: null,
      chainId: third.id,
      delegatorAgentId: cal.id,
      delegateeAgentId: dan.id,
      subject: ann.id,
      scopes: ["agents:read"],
      chain: [{ chainId: first.id }, { chainId: second.id }, { chainId: third.id }],
    });

    expect((await end(ben, second.id)).status).toBe(204);
    expect(await readsAgents(dan, third.access)).toBe(401);
    expect(await isActive(dan, third.access)).toBe(false);
    expect(await verify(third.token)).toMatchObject({ valid: false, reason: "ancestor_revoked" });
    expect(await verify(second.token)).toMatchObject({ valid: false, reason: "revoked" });
    expect((await swap(dan, third.token)).body["error"]).toBe("invalid_request");
    const on = await delegate(dan, (await agent()).id, { delegationToken: third.token });
    expect(on.body["code"]).toBe("invalid_request");
    expect(await verify(first.token)).toMatchObject({ valid: true });
    expect(await readsAgents(ben, first.access)).toBe(200);
    expect((await end(ben, second.id)).status).toBe(204);
  });

  test("G05 an agent in the middle suspended: nothing below it counts; resumed, it counts again", async () => {
    const boss = await agent();
    const [, second, third] = await chainOf([ann, boss, cal, dan]);
    await operator.call("POST", `/api/v1/agents/${boss.id}/suspend`);
    for (const link of [second, third])
      expect(await verify(link?.token ?? "")).toMatchObject({ valid: false, reason: "agent_inactive" });
    expect(await isActive(dan, third?.access ?? "")).toBe(false);
    expect(await readsAgents(dan, third?.access ?? "")).toBe(401);
    expect((await swap(dan, third?.token ?? "")).body["error"]).toBe("invalid_request");
    await operator.call("POST", `/api/v1/agents/${boss.id}/reactivate`);
    expect(await verify(third?.token ?? "")).toMatchObject({ valid: true });
    await operator.call("POST", `/api/v1/agents/${boss.id}/decommission`);
    expect(await verify(third?.token ?? "")).toMatchObject({ valid: false, reason: "agent_inactive" });
  });

  test("G05 without an exchange between: each hands on under the delegation token that names it", async () => {
    const first = linkOf(await delegate(ann, ben.id, { scopes: ["agents:read", "audit:read"] }));
    const second = linkOf(await delegate(ben, cal.id, { delegationToken: first.token }));
    expect(await verify(second.token)).toMatchObject({
      valid: true,
      subject: ann.id,
      scopes: ["agents:read"],
    });
    const access = tokenOf(await swap(cal, second.token));
    const [, payload = ""] = access.split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString("utf8"))).toMatchObject({
      sub: ann.id,
      client_id: cal.id,
      act: { sub: cal.id, act: { sub: ben.id } },
      scope: "agents:read",
    });
    for (const thief of [ann, cal, dan]) {
      const stolen = await delegate(thief, (await agent()).id, { delegationToken: first.token });
      expect(stolen.body["code"]).toBe("invalid_request");
    }
  });
});

test("G05 what stands is listed for who manages the agents, newest first; what has ended and what is another's is not", async () => {
  const [first, second] = await chainOf([ann, ben, cal]);
  if (first === undefined || second === undefined) throw new Error("no chain");
  const listed = async (by = operator): Promise<string> =>
    JSON.stringify((await by.call("GET", "/api/v1/delegations")).body);
  const before = await listed();
  expect(before).toContain(first.id);
  expect(JSON.parse(before).data[0]).toMatchObject({ chainId: second.id, parentId: first.id, depth: 2 });
  expect((await operator.call("GET", "/api/v1/delegations?limit=1")).body).toMatchObject({
    nextCursor: second.id,
  });
  await end(ann, first.id);
  const after = await listed();
  expect(after.includes(first.id) || after.includes(second.id)).toBe(false);
});

describe("G05 a delegation only narrows", () => {
  test("G05 a wider scope is refused at each hop, and what is no scope at all", async () => {
    const first = linkOf(await delegate(ann, ben.id));
    for (const scopes of [["audit:read"], ["agents:read", "audit:read"], ["agents:write"], ["unheard:of"]]) {
      const under = await delegate(ben, cal.id, { scopes, delegationToken: first.token });
      expect(under.body["code"]).toBe("invalid_scope");
      const access = tokenOf(await swap(ben, first.token));
      expect((await delegate(ben, cal.id, { scopes }, { token: access })).body["code"]).toBe("invalid_scope");
    }
    expect((await swap(ben, first.token, { scope: "audit:read" })).body["error"]).toBe("invalid_scope");
    for (const scopes of [[], ['a"b'], ["agents:read audit:read"]])
      expect((await delegate(ann, ben.id, { scopes })).status).toBe(400);
  });

  test("G05 no more time than what it is handed on from has, and between a minute and a day", async () => {
    for (const ttlSeconds of [59, 86_401, 0, -1, 90.5, "3600"])
      expect((await delegate(ann, ben.id, { ttlSeconds })).status).toBe(400);
    const answer = await delegate(ann, ben.id, { ttlSeconds: 600 });
    const first = linkOf(answer);
    const longer = await delegate(ben, cal.id, { ttlSeconds: 86_400, delegationToken: first.token });
    expect(longer.body["expiresAt"]).toBe(answer.body["expiresAt"]);
    const less = await delegate(ben, cal.id, { ttlSeconds: 60, delegationToken: first.token });
    expect(Date.parse(String(less.body["expiresAt"]))).toBeLessThan(
      Date.parse(String(answer.body["expiresAt"])),
    );
    expect((await delegate(ann, ben.id, { ttlSeconds: 86_400 })).status).toBe(201);
  });

  test("G05 it outlives the token that it was made by, and not its own end", async () => {
    const { id, token } = linkOf(await delegate(ann, ben.id, { ttlSeconds: 86_400 }));
    const access = await swap(ben, token);
    expect(access.body["expires_in"]).toBe(300);
    await running.database.asAdmin(
      "update delegations set expires_at = now() - interval '1 s' where id = $1",
      [id],
    );
    expect(await verify(token)).toMatchObject({ valid: false, reason: "expired", chainId: id });
    expect((await swap(ben, token)).body["error"]).toBe("invalid_request");
  });

  test("G05 never to itself, to one who is in the chain already, to no agent, nor nine deep", async () => {
    expect((await delegate(ann, ann.id)).body["code"]).toBe("invalid_request");
    let last = linkOf(await delegate(ann, ben.id));
    for (const earlier of [ann, ben]) {
      const answer = await delegate(ben, earlier.id, { delegationToken: last.token });
      expect(answer.body["code"]).toBe("invalid_request");
    }
    for (const id of [newId("agent"), await agentIn(await anotherTenant(running))])
      expect((await delegate(ann, id)).body["code"]).toBe("invalid_request");
    let holder = ben;
    for (let depth = 2; depth <= 8; depth++) {
      const next = await newClient(running, "agent");
      last = linkOf(
        await delegate(holder, next.id, { delegationToken: last.token }, { token: await plain(holder) }),
      );
      holder = next;
    }
    const ninth = await delegate(
      holder,
      cal.id,
      { delegationToken: last.token },
      { token: await plain(holder) },
    );
    expect(ninth.body["code"]).toBe("invalid_request");
  });

  const plain = (client: OAuthClient): Promise<string> => own(client, "oid4ac:payment");

  test("G05 a budget cannot be handed on, and unknown members are refused", async () => {
    const budget = { currency: "EUR", amountMinor: 100 };
    expect((await delegate(ann, ben.id, { budget })).body["code"]).toBe("delegation_budget_unenforceable");
    expect((await delegate(ann, ben.id, { subject: cal.id })).status).toBe(400);
  });

  test("G05 what the first agent may no longer do, nobody does by its word", async () => {
    const boss = await agent();
    const { token } = linkOf(await delegate(boss, ben.id, { scopes: ["agents:read", "audit:read"] }));
    await operator.call("PATCH", `/api/v1/agents/${boss.id}`, { scopes: ["audit:read"] });
    expect(await verify(token)).toMatchObject({ valid: true, scopes: ["audit:read"] });
    expect((await swap(ben, token)).body["scope"]).toBe("audit:read");
    expect((await swap(ben, token, { scope: "agents:read" })).body["error"]).toBe("invalid_scope");
    await operator.call("PATCH", `/api/v1/agents/${boss.id}`, { scopes: ["oid4ac:payment"] });
    expect(await verify(token)).toMatchObject({ valid: false, reason: "scopes_withdrawn" });
  });
});

describe("G05 what ends a delegator's tokens ends what it handed over", () => {
  test("G05 another key, and the end of all that it was given", async () => {
    const [first, other] = [await agent(), await agent()];
    const [one, two] = [linkOf(await delegate(first, ben.id)), linkOf(await delegate(other, ben.id))];
    const keys = { dpopJwk: publicJwkOf(generateJwk("ES256")) };
    expect((await operator.call("PUT", `/api/v1/agents/${first.id}/keys`, keys)).status).toBe(200);
    expect(await verify(one.token)).toMatchObject({ valid: false, reason: "delegator_changed" });
    expect(await verify(two.token)).toMatchObject({ valid: true });
    const made = await operator.call("POST", `/api/v1/agents/${other.id}/credentials`, {});
    const path = `/api/v1/agents/${other.id}/credentials/${String(made.body["credentialId"])}`;
    expect((await operator.call("DELETE", path)).status).toBe(204);
    expect(await verify(two.token)).toMatchObject({ valid: false, reason: "delegator_changed" });
    expect((await swap(ben, two.token)).body["error"]).toBe("invalid_request");
    const [{ until } = { until: 0 }] = await running.database.asAdmin<{ until: number }>(
      "select extract(epoch from until - now())::int as until from token_revocations where key = $1",
      [`client:${other.id}`],
    );
    expect(until).toBeGreaterThan(86_400);
  });

  test("G05 of a parent ended and a link added at once, the link never stands", async () => {
    const first = linkOf(await delegate(ann, ben.id));
    const add = (): Promise<Answer> => delegate(ben, cal.id, { delegationToken: first.token });
    const [one, two, ended, three, four] = await Promise.all([
      add(),
      add(),
      end(ann, first.id),
      add(),
      add(),
    ]);
    expect(ended.status).toBe(204);
    for (const answer of [one, two, three, four]) {
      if (answer.status !== 201) expect(answer.body["code"]).toBe("invalid_request");
      else expect(await verify(linkOf(answer).token)).toMatchObject({ reason: "ancestor_revoked" });
    }
  });
});

describe("G04 a delegation token is nothing to whom it does not name", () => {
  test("G04 only its delegatee exchanges it, and only by its type", async () => {
    const { token } = linkOf(await delegate(ann, ben.id));
    for (const other of [ann, cal, await newClient(running, "merchant")])
      expect((await swap(other, token)).status).toBe(400);
    const type = "urn:ietf:params:oauth:token-type:access_token";
    expect((await swap(ben, token, { subject_token_type: type })).body["error"]).toBe("invalid_request");
    expect((await swap(ben, token, { requested_actor: cal.id })).body["error"]).toBe("invalid_request");
    expect(await readsAgents(ben, token)).toBe(401);
    expect((await swap(ben, await own(ann))).body["error"]).toBe("invalid_request");
  });

  test("G04 only its delegator ends it, or the operator; for anybody else it is not there", async () => {
    const { id, token } = linkOf(await delegate(ann, ben.id));
    for (const other of [ben, cal]) expect((await end(other, id)).status).toBe(404);
    expect((await end(ann, newId("delegation"))).status).toBe(404);
    const reader = new Management(running, adminSecret, "agents:read");
    expect((await reader.call("DELETE", `/api/v1/token/delegate/${id}`)).body["code"]).toBe(
      "client_not_allowed",
    );
    expect(await verify(token)).toMatchObject({ valid: true });
    expect((await operator.call("DELETE", `/api/v1/token/delegate/${id}`)).status).toBe(204);
    expect(await verify(token)).toMatchObject({ valid: false, reason: "revoked" });
  });

  test("T01 for another organization there is no such delegation, to ask about or to end", async () => {
    const eve = await anotherTenant(running);
    const eves = new Management(eve, eve.adminSecret, "agents:read agents:write");
    const { id, token } = linkOf(await delegate(ann, ben.id));
    const asked = await eves.call("POST", "/api/v1/token/verify-delegation", { delegationToken: token });
    expect(asked).toMatchObject({
      status: 200,
      body: { valid: false, reason: "unknown", chainId: null, chain: [] },
    });
    expect((await eves.call("DELETE", `/oauth2/token/delegate/${id}`)).status).toBe(404);
    expect(await verify(token)).toMatchObject({ valid: true });
  });

  test("A12 whatever is asked about, the answer is one of 200", async () => {
    const jwt = await own(ann);
    for (const token of ["", "x", jwt, "rms_", "🙂".repeat(500)])
      expect(await verify(token, "/api/v1/token")).toMatchObject({ valid: false, reason: "unknown" });
  });
});

test("the agents of the AgentIdP API: a secret, a bearer token, and chains all the same", async () => {
  await new Management(running).call("PUT", "/api/v1/organization/bearer-tokens", { allowed: true });
  const make = async () => {
    const id = await agentIn(running, { scopes: ["agents:read"] });
    const { body } = await operator.call("POST", `/api/v1/agents/${id}/credentials`, {});
    const tokens = async (form: Record<string, string>): Promise<Answer> => {
      const all = { client_id: id, client_secret: String(body["clientSecret"]), ...form };
      const init = { method: "POST", body: new URLSearchParams(all) };
      return read(await fetch(`${running.issuer}/oauth2/token`, init));
    };
    const own = await tokens({ grant_type: "client_credentials", scope: "agents:read" });
    return { id, bearer: tokenOf(own), tokens };
  };
  const post = async (bearer: string, path: string, body: object): Promise<Answer> =>
    read(
      await fetch(running.issuer + path, {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
  const [one, two, three] = [await make(), await make(), await make()];
  const wish = { delegateeAgentId: two.id, scopes: ["agents:read"], ttlSeconds: 60 };
  const made = await post(one.bearer, "/oauth2/token/delegate", wish);
  expect(Object.keys(made.body).toSorted()).toEqual(
    ["chainId", "delegateeAgentId", "delegationToken", "delegatorAgentId", "expiresAt", "scopes"].toSorted(),
  );
  const first = linkOf(made);
  const on = { ...wish, delegateeAgentId: three.id, delegationToken: first.token };
  const second = linkOf(await post(two.bearer, "/api/v1/token/delegate", on));
  expect(
    (await post(three.bearer, "/oauth2/token/verify-delegation", { delegationToken: second.token })).body,
  ).toMatchObject({ valid: true, delegateeAgentId: three.id });
  // It exchanges what it was handed as one with a key does, for a bearer token in which all on the way are named.
  const form = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: second.token,
    subject_token_type: "urn:remit:token-type:delegation",
  };
  const exchanged = await three.tokens(form);
  expect(exchanged.body).toMatchObject({ token_type: "Bearer", scope: "agents:read" });
  const list = async (): Promise<number> =>
    (
      await fetch(`${running.issuer}/api/v1/agents`, {
        headers: { authorization: `Bearer ${tokenOf(exchanged)}` },
      })
    ).status;
  expect(await list()).toBe(200);
  expect((await three.tokens({ ...form, scope: "agents:read agents:write" })).body["error"]).toBe(
    "invalid_scope",
  );
  for (const [who, why] of [
    [one, "invalid_request"],
    [two, "invalid_request"],
  ] as const)
    expect((await who.tokens(form)).body["error"]).toBe(why);
  const offered = { ...form, subject_token: three.bearer, requested_actor: one.id };
  const type = "urn:ietf:params:oauth:token-type:access_token";
  expect((await three.tokens({ ...offered, subject_token_type: type })).body["error"]).toBe(
    "invalid_request",
  );
  // The middle is ended: what came by it is refused at the next call, and no new one is given.
  await operator.call("DELETE", `/api/v1/token/delegate/${first.id}`);
  expect(await list()).toBe(401);
  expect((await three.tokens(form)).body["error"]).toBe("invalid_request");
  await new Management(running).call("PUT", "/api/v1/organization/bearer-tokens", { allowed: false });
  const again = linkOf(await delegate(ann, two.id));
  const refused = await two.tokens({ ...form, subject_token: again.token });
  expect(["invalid_request", "invalid_dpop_proof"]).toContain(refused.body["error"]);
  await new Management(running).call("PUT", "/api/v1/organization/bearer-tokens", { allowed: true });
  const paying = { ...wish, scopes: ["oid4ac:payment"] };
  expect((await post(one.bearer, "/oauth2/token/delegate", paying)).body["code"]).toBe(
    "bound_token_required",
  );
  expect((await operator.call("POST", "/oauth2/token/delegate", wish)).body["code"]).toBe(
    "client_not_allowed",
  );
});

test("what was created, asked about and ended is counted", async () => {
  const counts = async (): Promise<number[]> => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const of = (name: string): number =>
      Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1]);
    return ["created", "verified", "revoked"].map((what) => of(`delegations_${what}_total`));
  };
  const before = await counts();
  const { id, token } = linkOf(await delegate(ann, ben.id));
  await verify(token);
  await end(ann, id);
  await end(ann, id);
  expect((await counts()).map((count, i) => count - (before[i] ?? 0))).toEqual([1, 1, 1]);
});
