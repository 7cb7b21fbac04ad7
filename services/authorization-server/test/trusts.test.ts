import { createHmac, createPrivateKey, generateKeyPairSync, sign as signBytes } from "node:crypto";
import { after, minuteMs, newId, systemClock, toRfc3339 } from "@remit/kernel";
import { publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, type Form, newClient, type OAuthClient, read } from "./client.ts";
import { Management } from "./management.ts";
import { nowS, Partner, part, randomJti } from "./partner.ts";
import { type Running, startServer } from "./running.ts";

const grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

let running: Running;
let management: Management;
let github: Partner;
let partner: Partner;
let other: Partner;
let agent: OAuthClient;

beforeAll(async () => {
  [github, partner, other] = [new Partner(), new Partner(), new Partner()];
  await Promise.all([github.listen(), partner.listen(), other.listen()]);
  running = await startServer({
    outboundAllow: [github.host],
    tenantOutboundAllow: [partner.host, other.host],
    githubIssuer: github.origin,
  });
  management = new Management(running);
  agent = await newClient(running, "agent");
});
afterAll(async () => {
  await running.close();
  await Promise.all([github.close(), partner.close(), other.close()]);
});

/** A trust in `agent`; its id. */
async function trust(rules: object, more: object = {}): Promise<string> {
  const body = { name: "CI", client_id: agent.id, scopes: ["oid4ac:payment"], rules, ...more };
  const answer = await management.call("POST", "/api/v1/trusts", body);
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return String(answer.body["id"]);
}

/** As a workload redeems its assertion: with the agent's id, and its registered key where a proof is sent. */
async function redeem(assertion: string, form: Form = {}, client = agent): Promise<Answer> {
  const url = client.url("/oauth/token");
  const sent = { grant_type: grantType, client_id: client.id, assertion, ...form };
  await client.learnNonce();
  return client.raw("/oauth/token", sent, { dpop: client.proof(url) });
}

const bare = async (assertion: string, form: Form = {}): Promise<Answer> =>
  read(
    await fetch(`${running.issuer}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams({ grant_type: grantType, client_id: agent.id, assertion, ...form }),
    }),
  );

const errorOf = async (answer: Promise<Answer>): Promise<unknown> => (await answer).body["error"];
const claimsOf = (answer: Answer): Record<string, unknown> =>
  JSON.parse(
    Buffer.from(String(answer.body["access_token"]).split(".")[1] ?? "", "base64url").toString("utf8"),
  );

const usual = (issuer: string, more: object = {}): Record<string, unknown> => ({
  iss: issuer,
  aud: running.issuer,
  iat: nowS(),
  exp: nowS() + 300,
  jti: randomJti(),
  ...more,
});

describe("A13 GitHub Actions", () => {
  const ids = { repository_id: "1296269", repository_owner_id: "583231" };
  const workflow = (more: object = {}): Record<string, unknown> =>
    usual(github.origin, {
      sub: "repo:octo-org/octo-repo:ref:refs/heads/main",
      repository: "octo-org/octo-repo",
      repository_owner: "octo-org",
      ...ids,
      ref: "refs/heads/main",
      event_name: "push",
      ...more,
    });
  let id: string;
  beforeAll(async () => {
    id = await trust({ kind: "github", ...ids, ref: "refs/heads/main" });
  });
  afterAll(() => management.call("DELETE", `/api/v1/trusts/${id}`));

  test("both spellings of the subject get a token for the agent, bound to its registered key", async () => {
    for (const sub of [
      "repo:octo-org/octo-repo:ref:refs/heads/main",
      "repo:octo-org@583231/octo-repo@1296269:ref:refs/heads/main",
    ]) {
      const answer = await redeem(github.signRs256(workflow({ sub })));
      expect(answer.body).toMatchObject({ token_type: "DPoP", scope: "oid4ac:payment", expires_in: 900 });
      expect(answer.body).not.toHaveProperty("refresh_token");
      expect(claimsOf(answer)).toMatchObject({
        sub: agent.id,
        client_id: agent.id,
        aud: running.issuer,
        organization_id: running.tenant,
        trust: id,
        cnf: { jkt: expect.any(String) },
      });
    }
  });

  test.each<[string, object]>([
    ["another repository under the old name", { repository_id: "999" }],
    ["another owner under the old name", { repository_owner_id: "999" }],
    ["no ids", { repository_id: undefined, repository_owner_id: undefined }],
    ["ids as numbers", { repository_id: 1296269, repository_owner_id: 583231 }],
    ["another branch", { ref: "refs/heads/mainline" }],
    ["a pull request", { event_name: "pull_request", sub: "repo:octo-org/octo-repo:pull_request" }],
    ["a pull request that calls itself otherwise", { sub: "repo:octo-org/octo-repo:pull_request" }],
    ["pull_request_target", { event_name: "pull_request_target" }],
    ["a wildcard in sub", { sub: "repo:octo-org/*:ref:refs/heads/main" }],
    ["other ids in sub", { sub: "repo:octo-org@1/octo-repo@1296269:ref:refs/heads/main" }],
    ["half of the ids in sub", { sub: "repo:octo-org/octo-repo@1296269:ref:refs/heads/main" }],
    ["another name in sub", { sub: "repo:octo-org/evil:ref:refs/heads/main" }],
    ["a subject in a form of somebody's own", { sub: "octo-org/octo-repo" }],
    ["GitHub's own audience", { aud: "https://github.com/octo-org" }],
    ["our audience beside another", { aud: ["https://github.com/octo-org", "OURS"] }],
    ["no jti", { jti: undefined }],
    ["an expired token", { iat: 1, exp: 2 }],
    ["a token from the future", { iat: 4_000_000_000, exp: 4_000_000_300 }],
    ["a token that lives for more than an hour", { exp: "NOW" }],
    ["no exp", { exp: undefined }],
  ])("A13 %s is refused", async (_, more) => {
    const claims = workflow(more);
    if (Array.isArray(claims["aud"])) claims["aud"] = [claims["aud"][0], running.issuer];
    if (claims["exp"] === "NOW") claims["exp"] = nowS() + 3_602;
    expect(await errorOf(redeem(github.signRs256(claims)))).toBe("invalid_grant");
  });

  test("A13 one token is redeemed once, however often it is sent at once", async () => {
    const assertion = github.signRs256(workflow());
    const answers = await Promise.all(Array.from({ length: 6 }, () => redeem(assertion)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body["error"] === "invalid_grant")).toHaveLength(5);
    expect(await errorOf(redeem(assertion))).toBe("invalid_grant");
  });

  test("A13 an environment is matched exactly, in its claim and in the subject", async () => {
    const environment = await trust({ kind: "github", ...ids, environment: "production" });
    await management.call("PATCH", `/api/v1/trusts/${id}`, { status: "suspended" });
    const deployment = (name: string, inSub = name): string =>
      github.signRs256(
        workflow({
          environment: name,
          sub: `repo:octo-org/octo-repo:environment:${inSub}`,
          event_name: "deployment",
        }),
      );
    expect((await redeem(deployment("production"))).status).toBe(200);
    for (const wrong of [
      deployment("Production"),
      deployment("staging"),
      deployment("production", "staging"),
    ])
      expect(await errorOf(redeem(wrong))).toBe("invalid_grant");
    expect(await errorOf(redeem(github.signRs256(workflow())))).toBe("invalid_grant");
    await management.call("DELETE", `/api/v1/trusts/${environment}`);
    await management.call("PATCH", `/api/v1/trusts/${id}`, { status: "active" });
  });
});

describe("A14 a partner speaks for itself alone", () => {
  let id: string;
  beforeAll(async () => {
    id = await trust({
      kind: "federation",
      issuer: "https://partner.example",
      keys: { jwks_uri: partner.jwksUri },
      subject: "workload-7",
    });
    await trust({
      kind: "federation",
      issuer: "https://other.example",
      keys: { jwks_uri: other.jwksUri },
      subject: "workload-7",
    });
  });
  const said = (more: object = {}): Record<string, unknown> =>
    usual("https://partner.example", { sub: "workload-7", ...more });

  test("its word is taken, by ES256 or RS256", async () => {
    expect((await redeem(partner.sign(said(), { kid: "partner-es" }))).status).toBe(200);
    expect((await redeem(partner.signRs256(said()))).status).toBe(200);
  });

  test("A14 a token with the issuer of a third party is refused, also under that one's kid", async () => {
    const claims = said({ iss: "https://other.example" });
    expect(await errorOf(redeem(partner.sign(claims, { kid: "partner-es" })))).toBe("invalid_grant");
    partner.jwks.keys.push({ ...publicJwkOf(generateJwk("ES256")), kid: running.issuer });
    expect(await errorOf(redeem(partner.signRs256(claims)))).toBe("invalid_grant");
  });

  test("A14 a partner that publishes our own keys speaks for us no more than before", async () => {
    const ours = (await read(await fetch(`${running.issuer}/oauth/jwks.json`))).body["keys"];
    partner.jwks.keys.push(...(Array.isArray(ours) ? ours : []));
    const own = await agent.credentials({ resource: running.issuer });
    expect(await errorOf(redeem(String(own.body["access_token"])))).toBe("invalid_grant");
    partner.jwks.keys.splice(2);
  });

  test("A14 no partner's word brings a management scope, and none can be configured", async () => {
    for (const scope of ["agents:read", "agents:write", "admin:orgs", "audit:read"]) {
      const assertion = partner.sign(said(), { kid: "partner-es" });
      expect(await errorOf(redeem(assertion, { scope }))).toBe("invalid_scope");
      const rules = {
        kind: "federation",
        issuer: "https://partner.example",
        keys: { jwks_uri: partner.jwksUri },
        subject: "x",
      };
      const body = { name: "x", client_id: agent.id, scopes: [scope], rules };
      expect((await management.call("POST", "/api/v1/trusts", body)).body["code"]).toBe("invalid_scope");
    }
  });

  test("A01 what is not a signature of the partner's is refused, and nothing is fetched for it", async () => {
    await redeem(partner.sign(said(), { kid: "partner-es" }));
    const fetched = partner.fetches;
    const claims = said();
    const input = (header: object): string => `${part(header)}.${part(claims)}`;
    const publicKey = JSON.stringify(partner.jwks.keys[0]);
    const hmac = (header: object): string =>
      `${input(header)}.${createHmac("sha256", publicKey).update(input(header)).digest("base64url")}`;
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
    const foreign = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const pss = input({ alg: "PS256", typ: "JWT", kid: "partner-rs" });
    for (const assertion of [
      `${input({ alg: "none", typ: "JWT" })}.`,
      hmac({ alg: "HS256", typ: "JWT", kid: "partner-es" }),
      partner.signRs256(claims, {}, weak),
      partner.signRs256(claims, {}, foreign),
      partner.signRs256(claims, { kid: "../../etc/passwd" }),
      partner.signRs256(claims, { kid: "' or 1=1 --" }),
      partner.signRs256(claims, { kid: "https://evil.example/key" }),
      partner.signRs256(claims, { jku: partner.jwksUri }),
      partner.signRs256(claims, { x5u: partner.jwksUri }),
      partner.signRs256(claims, { x5c: ["MIIB"] }),
      partner.signRs256(claims, { jwk: partner.jwks.keys[1] }),
      partner.signRs256(claims, { crit: ["exp"], exp: 1 }),
      partner.signRs256(claims, { alg: "RS512" }),
      `${pss}.${signBytes("sha256", Buffer.from(pss), { key: createPrivateKey(partner.rsa.export({ format: "pem", type: "pkcs8" })), padding: 6 }).toString("base64url")}`,
      `${partner.signRs256(claims)}x`,
      "nonsense",
    ])
      expect(await errorOf(redeem(assertion)), assertion.slice(0, 60)).toBe("invalid_grant");
    expect(partner.fetches).toBe(fetched);
  });

  test("K04 a flood of unknown kids makes no fetch within 30 s of the last", async () => {
    await redeem(partner.sign(said(), { kid: "partner-es" }));
    const fetched = partner.fetches;
    const flood = Array.from({ length: 20 }, (_, i) => redeem(partner.sign(said(), { kid: `made-up-${i}` })));
    for (const answer of await Promise.all(flood)) expect(answer.body["error"]).toBe("invalid_grant");
    expect(partner.fetches).toBe(fetched);
  });

  test("A02 a token of another typ is no assertion", async () => {
    for (const typ of ["at+jwt", "oauth-id-jag+jwt", "logout+jwt", "dpop+jwt", "client-authentication+jwt"])
      expect(await errorOf(redeem(partner.sign(said(), { typ, kid: "partner-es" })))).toBe("invalid_grant");
  });

  test("the subject is matched as it is", async () => {
    for (const sub of ["workload-70", "Workload-7", "", undefined, ["workload-7"]])
      expect(await errorOf(redeem(partner.sign(said({ sub }), { kid: "partner-es" })))).toBe("invalid_grant");
  });

  test("a suspended trust gives nothing and its tokens end; resumed, they count; removed, they end for good", async () => {
    const answer = await redeem(partner.sign(said(), { kid: "partner-es" }));
    const mandates = async (): Promise<number> => {
      const { callApi } = await import("./api.ts");
      const token = String(answer.body["access_token"]);
      return (await callApi(running, { token, key: agent.keys.dpop })).status;
    };
    expect(await mandates()).toBe(200);
    await management.call("PATCH", `/api/v1/trusts/${id}`, { status: "suspended" });
    expect(await mandates()).toBe(401);
    expect(await errorOf(redeem(partner.sign(said(), { kid: "partner-es" })))).toBe("invalid_grant");
    await management.call("PATCH", `/api/v1/trusts/${id}`, { status: "active" });
    expect(await mandates()).toBe(200);
    // Made to end in ten minutes, it ends what it gave for fifteen; what it gives from now on ends with it.
    const soon = toRfc3339(after(systemClock.now(), 10 * minuteMs));
    await management.call("PATCH", `/api/v1/trusts/${id}`, { expires_at: soon });
    expect(await mandates()).toBe(401);
    const next = await redeem(partner.sign(said(), { kid: "partner-es" }));
    expect(next.body["expires_in"]).toBeLessThanOrEqual(600);
    await management.call("PATCH", `/api/v1/trusts/${id}`, { status: "suspended" });
    await management.call("PATCH", `/api/v1/trusts/${id}`, { status: "active", expires_at: null });
    expect(await mandates()).toBe(200);
    await management.call("PATCH", `/api/v1/trusts/${id}`, { expires_at: "2020-01-01T00:00:00Z" });
    expect(await mandates()).toBe(401);
    await management.call("PATCH", `/api/v1/trusts/${id}`, { expires_at: null });
    expect(await mandates()).toBe(200);
    expect((await management.call("DELETE", `/api/v1/trusts/${id}`)).status).toBe(204);
    expect(await mandates()).toBe(401);
    expect(await errorOf(redeem(partner.sign(said(), { kid: "partner-es" })))).toBe("invalid_grant");
  });
});

describe("K05 a partner's keys that cannot be had", () => {
  test.each<[string, string]>([
    ["HTML", "<!doctype html>"],
    ["no keys", '{"keys":[]}'],
    ["a symmetric key", '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'],
    ["10 MB", `{"keys":[${" ".repeat(10_000_000)}]}`],
  ])("K05 %s: refused for now, and the server stays well", async (name, body) => {
    const broken = new Partner();
    await broken.listen();
    // Not on the list of addresses that tests open, so nothing is called at all.
    const closed = await management.call("POST", "/api/v1/trusts", {
      name,
      client_id: agent.id,
      scopes: ["oid4ac:payment"],
      rules: {
        kind: "federation",
        issuer: "https://x.example",
        keys: { jwks_uri: broken.jwksUri },
        subject: "x",
      },
    });
    expect(closed.body["code"]).toBe("outbound_refused");
    await broken.close();
    const jwksUri = `${other.origin}/${encodeURIComponent(name)}`;
    const issuer = `https://${name.replaceAll(" ", "-").toLowerCase()}.example`;
    const id = await trust({ kind: "federation", issuer, keys: { jwks_uri: jwksUri }, subject: "x" });
    other.answer = { status: 200, body };
    const refused = await redeem(other.sign(usual(issuer, { sub: "x" }), { kid: "partner-es" }));
    expect(refused).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
    other.answer = undefined;
    await management.call("DELETE", `/api/v1/trusts/${id}`);
  });
});

describe("SPIFFE, workload identity and bearer tokens", () => {
  const domain = "prod.example";
  const svid = generateJwk("ES256", "svid-1");
  const bundle = {
    keys: [
      { ...publicJwkOf(svid), use: "jwt-svid" },
      { ...publicJwkOf(generateJwk("ES256", "root")), use: "x509-svid" },
    ],
  };
  const speak = (sub: string, more: object = {}): string =>
    partner.sign({ sub, aud: [running.issuer], exp: nowS() + 3_000, ...more }, { kid: "svid-1" }, svid);

  test("an SVID is taken as often as it comes, by exact path or below a path, and from its own domain", async () => {
    const keys = { jwks: bundle };
    const exact = await trust({ kind: "spiffe", trust_domain: domain, keys, path: "/ns/shop/sa/buyer" });
    const token = speak(`spiffe://${domain}/ns/shop/sa/buyer`);
    expect((await redeem(token)).status).toBe(200);
    expect((await redeem(token)).status).toBe(200);
    for (const sub of [
      `spiffe://${domain}/ns/shop/sa/buyer2`,
      `spiffe://${domain}/ns/shop/sa`,
      `spiffe://${domain}/ns/shop/sa/buyer/`,
      `spiffe://${domain}/ns/shop/x/../sa/buyer`,
      "spiffe://evil.example/ns/shop/sa/buyer",
      `spiffe://${domain.toUpperCase()}/ns/shop/sa/buyer`,
      `https://${domain}/ns/shop/sa/buyer`,
    ])
      expect(await errorOf(redeem(speak(sub))), sub).toBe("invalid_grant");
    await management.call("DELETE", `/api/v1/trusts/${exact}`);
    const below = await trust({ kind: "spiffe", trust_domain: domain, keys, path_prefix: "/ns/prod" });
    expect((await redeem(speak(`spiffe://${domain}/ns/prod/sa/any`))).status).toBe(200);
    for (const path of ["/ns/production/sa/any", "/ns/prod", "/ns/other"])
      expect(await errorOf(redeem(speak(`spiffe://${domain}${path}`)))).toBe("invalid_grant");
    const rooted = partner.sign(
      { sub: `spiffe://${domain}/ns/prod/x`, aud: running.issuer, exp: nowS() + 60 },
      { kid: "root" },
    );
    expect(await errorOf(redeem(rooted))).toBe("invalid_grant");
    expect(
      await errorOf(
        redeem(speak(`spiffe://${domain}/ns/prod/x`, { aud: ["https://x.example", running.issuer] })),
      ),
    ).toBe("invalid_grant");
    await management.call("DELETE", `/api/v1/trusts/${below}`);
  });

  test("a service account's claims are matched exactly, however deep; RS256 is not for it", async () => {
    const claims = [
      { path: ["kubernetes.io", "namespace"], equals: "shop" },
      { path: ["kubernetes.io", "serviceaccount", "name"], equals: "buyer" },
    ];
    const issuer = "https://kubernetes.default.svc.cluster.local";
    const id = await trust({ kind: "workload", issuer, keys: { jwks_uri: partner.jwksUri }, claims });
    const pod = (namespace: unknown, name: unknown = "buyer"): Record<string, unknown> =>
      usual(issuer, {
        sub: "system:serviceaccount:shop:buyer",
        aud: [running.issuer],
        jti: undefined,
        "kubernetes.io": { namespace, serviceaccount: { name, uid: "1" } },
      });
    const token = partner.sign(pod("shop"), { typ: undefined, kid: "partner-es" });
    expect((await redeem(token)).status).toBe(200);
    expect((await redeem(token)).status).toBe(200);
    for (const wrong of [
      pod("shop2"),
      pod("shop", "Buyer"),
      pod(["shop"]),
      pod(undefined),
      usual(issuer, { sub: "x" }),
    ])
      expect(await errorOf(redeem(partner.sign(wrong, { kid: "partner-es" })))).toBe("invalid_grant");
    expect(await errorOf(redeem(partner.signRs256(pod("shop"))))).toBe("invalid_grant");
    await management.call("DELETE", `/api/v1/trusts/${id}`);
  });

  test("a bearer token needs the tenant's switch and the trust's, and carries nothing that moves money", async () => {
    const issuer = "https://platform.example";
    const rules = { kind: "workload", issuer, keys: { jwks_uri: partner.jwksUri }, subject: "job" };
    const id = await trust(rules, { scopes: ["agents:read"], bearer: true });
    const token = (): string => partner.sign(usual(issuer, { sub: "job" }), { kid: "partner-es" });
    expect(await errorOf(bare(token()))).toBe("invalid_dpop_proof");
    await management.call("PUT", "/api/v1/organization/bearer-tokens", { allowed: true });
    const answer = await bare(token());
    expect(answer.body).toMatchObject({ token_type: "Bearer", scope: "agents:read", expires_in: 900 });
    expect(claimsOf(answer)).not.toHaveProperty("cnf");
    const list = await fetch(`${running.issuer}/api/v1/agents`, {
      headers: { authorization: `Bearer ${String(answer.body["access_token"])}` },
    });
    expect(list.status).toBe(200);
    expect(await errorOf(bare(token(), { scope: "agents:write" }))).toBe("invalid_scope");
    const paying = { name: "x", client_id: agent.id, scopes: ["oid4ac:payment"], bearer: true, rules };
    expect((await management.call("POST", "/api/v1/trusts", paying)).body["code"]).toBe("invalid_scope");
    await management.call("PUT", "/api/v1/organization/bearer-tokens", { allowed: false });
    expect(await errorOf(bare(token()))).toBe("invalid_dpop_proof");
    await management.call("DELETE", `/api/v1/trusts/${id}`);
  });

  test("refusals are final and named: no assertion, no trust at all, another key, no client, another kind of client", async () => {
    const stranger = await newClient(running, "agent");
    const assertion = partner.sign(usual("https://partner.example", { sub: "x" }), { kid: "partner-es" });
    expect(await errorOf(redeem(assertion, {}, stranger))).toBe("unauthorized_client");
    expect(await errorOf(bare("", { assertion: "" }))).toBe("invalid_request");
    expect(await errorOf(bare(assertion, { client_id: newId("agent") }))).toBe("invalid_client");
    expect(await errorOf(bare(assertion, { grant_type: "client_credentials" }))).toBe("invalid_client");
    expect(await errorOf(bare(assertion, { client_id: "" }))).toBe("invalid_request");
    const thief = stranger.proof(agent.url("/oauth/token"));
    const sent = { grant_type: grantType, client_id: agent.id, assertion };
    expect(await errorOf(agent.raw("/oauth/token", sent, { dpop: thief }))).toBe("invalid_dpop_proof");
    const merchant = await newClient(running, "merchant");
    expect(await errorOf(merchant.post("/oauth/token", { grant_type: grantType, assertion }))).toBe(
      "invalid_request",
    );
  });
});
