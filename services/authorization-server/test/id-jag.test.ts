import { systemClock } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { platformTenant } from "../src/tenants/index.ts";
import { createTrust } from "../src/trusts/trusts.ts";
import { Browser } from "./browser.ts";
import { type Answer, type Form, newClient, OAuthClient, read } from "./client.ts";
import { exchange, obtainCode, shop } from "./consent.ts";
import { Management } from "./management.ts";
import { nowS, Partner, randomJti } from "./partner.ts";
import { newRelyingParty, headerOf as partyHeaderOf, through } from "./relying-party.ts";
import { type Running, startServer } from "./running.ts";

const bearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";
const idToken = "urn:ietf:params:oauth:token-type:id_token";
const idJag = "urn:ietf:params:oauth:token-type:id-jag";

let running: Running;
let management: Management;
let idp: Partner;
let agent: OAuthClient;

beforeAll(async () => {
  idp = new Partner();
  await idp.listen();
  running = await startServer({ tenantOutboundAllow: [idp.host] });
  management = new Management(running);
  agent = await newClient(running, "agent");
  await trust({ kind: "id_jag", issuer: "https://idp.example", keys: { jwks_uri: idp.jwksUri } });
});
afterAll(async () => {
  await running.close();
  await idp.close();
});

async function trust(rules: object, more: object = {}): Promise<string> {
  const body = { name: "IdP", client_id: agent.id, scopes: ["oid4ac:payment"], rules, ...more };
  const answer = await management.call("POST", "/api/v1/trusts", body);
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return String(answer.body["id"]);
}

const claimsOf = ({ body }: Answer, of = "access_token"): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(body[of]).split(".")[1] ?? "", "base64url").toString("utf8"));
const headerOf = ({ body }: Answer): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(body["access_token"]).split(".")[0] ?? "", "base64url").toString("utf8"));

describe("redeeming an identity assertion (ID-JAG)", () => {
  const assertion = (more: object = {}, header: object = {}): string =>
    idp.sign(
      {
        iss: "https://idp.example",
        sub: "U019488227",
        aud: running.issuer,
        client_id: agent.id,
        jti: randomJti(),
        iat: nowS(),
        exp: nowS() + 300,
        resource: shop,
        scope: "oid4ac:payment chat.read",
        ...more,
      },
      { typ: "oauth-id-jag+jwt", kid: "partner-es", ...header },
    );
  const redeem = (text: string, form: Form = {}, client = agent): Promise<Answer> =>
    client.post("/oauth/token", { grant_type: bearerGrant, assertion: text, ...form });

  test("it gives the client a token of its own, for the resource it names and no wider than it says", async () => {
    const answer = await redeem(assertion());
    expect(answer.body).toMatchObject({ token_type: "DPoP", scope: "oid4ac:payment" });
    expect(claimsOf(answer)).toMatchObject({ aud: shop, sub: agent.id, client_id: agent.id });
    const narrow = await redeem(assertion({ scope: "chat.read" }));
    expect(narrow.body["error"]).toBe("invalid_scope");
    const elsewhere = await redeem(assertion(), { resource: "https://other.example" });
    expect(elsewhere.body["error"]).toBe("invalid_target");
  });

  test("it is redeemed once", async () => {
    const text = assertion();
    const answers = await Promise.all(Array.from({ length: 6 }, () => redeem(text)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test.each<[string, object, object]>([
    ["for another client", { client_id: "agt_01j00000000000000000000000" }, {}],
    ["for no client", { client_id: undefined }, {}],
    ["for another server", { aud: "https://chat.example" }, {}],
    ["for two servers", { aud: ["https://chat.example", "https://idp.example"] }, {}],
    ["without jti", { jti: undefined }, {}],
    ["without sub", { sub: undefined }, {}],
    ["expired", { iat: 1, exp: 2 }, {}],
    ["of an issuer nobody trusts", { iss: "https://evil.example" }, {}],
    ["A02 an ID token of the same issuer", {}, { typ: "JWT" }],
    ["A02 an access token of the same issuer", {}, { typ: "at+jwt" }],
    ["A02 no typ", {}, { typ: undefined }],
  ])("A14 %s: refused", async (_, claims, header) => {
    expect(await redeem(assertion(claims, header))).toMatchObject({
      status: 400,
      body: { error: "invalid_grant" },
    });
  });

  test("G04 its token is handed on for the resource that the assertion named, and for no other", async () => {
    const other = await newClient(running, "agent");
    const given = String((await redeem(assertion({ resource: running.issuer }))).body["access_token"]);
    const swap = (client: OAuthClient, token: string, form: Form): Promise<Answer> => {
      const subject = { subject_token: token, subject_token_type: `${idToken.slice(0, -8)}access_token` };
      return client.post("/oauth/token", { grant_type: exchangeGrant, ...subject, ...form });
    };
    const offered = String((await swap(agent, given, { requested_actor: other.id })).body["access_token"]);
    expect((await swap(other, offered, { resource: shop })).body["error"]).toBe("invalid_target");
    expect((await swap(other, offered, {})).status).toBe(200);
  });

  test("a client that does not authenticate gets nothing, nor another that does", async () => {
    await agent.learnNonce();
    const sent = { grant_type: bearerGrant, client_id: agent.id, assertion: assertion() };
    const dpop = agent.proof(agent.url("/oauth/token"));
    expect((await agent.raw("/oauth/token", sent, { dpop })).body["error"]).toBe("unauthorized_client");
    const other = await newClient(running, "agent");
    expect((await redeem(assertion(), {}, other)).body["error"]).toBe("unauthorized_client");
  });
});

describe("issuing an identity assertion for another authorization server", () => {
  const chat = "https://chat.example/";
  let wallet: OAuthClient;
  let given: string;
  beforeAll(async () => {
    wallet = new OAuthClient(running, "wallet", running.wallet);
    const asked = { scope: "openid wallet:read", resource: running.issuer, authorization_details: "[]" };
    given = String((await exchange(wallet, await obtainCode(running, wallet, asked))).body["id_token"]);
    const rules = {
      kind: "id_jag_issue",
      audience: chat,
      client_id: "wiki-at-chat",
      resources: ["https://api.chat.example/"],
    } as const;
    // The wallet is of the platform, which has no management client: its trust is written as an operation.
    const db = running.database.open({ record: recordToOutbox });
    const by = { actor: { type: "system", id: "test" } as const, now: systemClock.now() };
    const scopes = ["chat.read", "chat.history"];
    const wanted = { name: "Chat", client: "wallet", rules, scopes, bearer: false, expiresAt: undefined };
    await db.of(platformTenant).transaction((tx) => createTrust(tx, wanted, by));
  });
  const ask = (form: Form = {}, client = wallet): Promise<Answer> =>
    client.post("/oauth/token", {
      grant_type: exchangeGrant,
      requested_token_type: idJag,
      subject_token: given,
      subject_token_type: idToken,
      audience: chat,
      ...form,
    });

  test("the answer is no access token, and the assertion says who, for whom, as which client and for how long", async () => {
    const answer = await ask({ scope: "chat.read", resource: "https://api.chat.example/" });
    expect(answer.body).toMatchObject({
      issued_token_type: idJag,
      token_type: "N_A",
      expires_in: 300,
      scope: "chat.read",
    });
    expect(headerOf(answer)).toMatchObject({ typ: "oauth-id-jag+jwt", alg: "ES256" });
    const claims = claimsOf(answer);
    expect(claims).toMatchObject({
      iss: running.issuer,
      aud: chat,
      client_id: "wiki-at-chat",
      resource: "https://api.chat.example/",
      scope: "chat.read",
    });
    expect(claims["sub"]).toBe(claimsOf({ body: { t: given } } as unknown as Answer, "t")["sub"]);
    expect(Number(claims["exp"]) - Number(claims["iat"])).toBe(300);
    const jwks = (await read(await fetch(`${running.issuer}/oauth/jwks.json`))).body["keys"];
    expect(JSON.stringify(jwks)).toContain(String(headerOf(answer)["kid"]));
  });

  test("an application whose ID tokens are signed with EdDSA asks with one of those", async () => {
    const party = await newRelyingParty(running, {
      id_token_signed_response_alg: "EdDSA",
      grant_types: ["authorization_code", exchangeGrant],
    });
    const trusted = await management.call("POST", "/api/v1/trusts", {
      name: "Chat",
      client_id: party.id,
      scopes: ["chat.read"],
      rules: { kind: "id_jag_issue", audience: chat, client_id: "wiki-at-chat" },
    });
    expect(trusted.status).toBe(201);
    const code = (await through(new Browser(), party.authorizeUrl())).searchParams.get("code") ?? "";
    const subject = String((await party.exchange(code)).body["id_token"]);
    expect(partyHeaderOf(subject)["alg"]).toBe("EdDSA");
    const asking = { grant_type: exchangeGrant, requested_token_type: idJag, audience: chat };
    const answer = await party.token({ ...asking, subject_token: subject, subject_token_type: idToken });
    expect(answer.body).toMatchObject({ issued_token_type: idJag, token_type: "N_A" });
    expect(claimsOf(answer)).toMatchObject({ aud: chat, sub: running.account });
  });

  test("the metadata say so", async () => {
    const { body } = await read(await fetch(`${running.issuer}/.well-known/oauth-authorization-server`));
    expect(body["authorization_grant_profiles_supported"]).toEqual([
      "urn:ietf:params:oauth:grant-profile:id-jag",
    ]);
    expect(body["grant_types_supported"]).toEqual(expect.arrayContaining([bearerGrant, exchangeGrant]));
  });

  test.each<[string, Form, string]>([
    ["a server that the tenant did not name", { audience: "https://evil.example/" }, "invalid_target"],
    ["no server", { audience: "" }, "invalid_target"],
    ["a resource that is not listed", { resource: "https://api.other.example/" }, "invalid_target"],
    ["a scope that is not listed", { scope: "chat.read chat.admin" }, "invalid_scope"],
    [
      "an access token as the identity",
      { subject_token_type: "urn:ietf:params:oauth:token-type:access_token" },
      "invalid_request",
    ],
  ])("%s is refused", async (_, form, error) => {
    expect((await ask(form)).body["error"]).toBe(error);
  });

  test("A02 an ID token of another client, an access token in its place and a forgery are refused", async () => {
    const own = await agent.credentials({ resource: running.issuer });
    const [head, payload] = given.split(".");
    const forged = idp.sign(
      { ...claimsOf({ body: { t: given } } as unknown as Answer, "t") },
      { kid: "partner-es" },
    );
    for (const subject_token of [
      String(own.body["access_token"]),
      forged,
      `${head}.${payload}.${"A".repeat(86)}`,
      idp.sign({ iss: running.issuer }, {}, generateJwk("ES256")),
      "nonsense",
    ])
      expect((await ask({ subject_token })).body["error"]).toBe("invalid_request");
    expect((await ask({}, agent)).body["error"]).toBe("invalid_request");
  });
});
