import { createServer, type Server } from "node:http";
import { generateJwk } from "@remit/protocol/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi } from "./api.ts";
import { Browser } from "./browser.ts";
import { type Answer, challengeOf, OAuthClient, read } from "./client.ts";
import { openConsent } from "./consent.ts";
import { claimsOf, through } from "./relying-party.ts";
import { freePort, type Running, startServer } from "./running.ts";

// What an MCP client does (authorization 2026-07-28): it knows the address of a resource and nothing else.

let running: Running;
let issuer: string;
let web: Server;
let clientId: string;
const callback = "http://127.0.0.1/callback";
const verifier = "v".repeat(64);
const document = (id: string): object => ({
  client_id: id,
  client_name: "Notes",
  redirect_uris: [callback],
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: "none",
});

beforeAll(async () => {
  const port = await freePort();
  clientId = `http://localhost:${port}/client.json`;
  web = createServer((req, res) => {
    const own = req.url === "/client.json" ? clientId : "http://localhost/other.json";
    res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(document(own)));
  });
  await new Promise<void>((resolve) => web.listen(port, "127.0.0.1", resolve));
  // As in development: open, and allowed to call this machine.
  running = await startServer({ openRegistration: true, tenantOutboundAllow: [`localhost:${port}`] });
  ({ issuer } = running);
});
afterAll(async () => {
  web.close();
  await running.close();
});

const authorize = (id: string, more: Record<string, string> = {}): string =>
  `${issuer}/oauth/authorize?${new URLSearchParams({
    client_id: id,
    response_type: "code",
    redirect_uri: callback,
    code_challenge: challengeOf(verifier),
    code_challenge_method: "S256",
    ...more,
  })}`;

const exchange = async (id: string, code: string): Promise<Answer> => {
  const key = generateJwk("ES256");
  const wire = new OAuthClient({ issuer }, id, { assertion: key, dpop: key });
  const form = {
    grant_type: "authorization_code",
    client_id: id,
    code,
    redirect_uri: callback,
    code_verifier: verifier,
  };
  const send = () => wire.raw("/oauth/token", form, { dpop: wire.proof(wire.url("/oauth/token")) });
  const first = await send();
  const answer = first.body["error"] === "use_dpop_nonce" ? await send() : first;
  return { ...answer, body: { ...answer.body, key } };
};

describe("an MCP client finds its way from the resource alone", () => {
  test("challenge, resource metadata, server metadata, document, consent, token, call", async () => {
    const refused = await fetch(`${issuer}/api/v1/mandates`);
    const challenge = refused.headers.get("www-authenticate") ?? "";
    const address = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? "";
    const resource = (await read(await fetch(address))).body;
    expect(resource).toMatchObject({ resource: issuer, authorization_servers: [issuer] });
    const url = await through(
      new Browser(),
      authorize(clientId, { resource: `${issuer}/`, state: "s" }),
      callback,
    );
    expect([url.searchParams.get("iss"), url.searchParams.get("state")]).toEqual([issuer, "s"]);
    const { body, status } = await exchange(clientId, url.searchParams.get("code") ?? "");
    expect(status).toBe(200);
    const token = String(body["access_token"]);
    expect(claimsOf(token)).toMatchObject({ aud: issuer, client_id: clientId, scope: "wallet:read" });
    const key = body["key"] as Parameters<typeof callApi>[1]["key"]; // As `exchange` made it.
    const answer = await callApi(running, { token, key, path: "/api/v1/mandates" });
    expect(answer.status).toBe(200);
  });

  test("A09 the consent page says that nobody verified it, whose document it is and where one returns", async () => {
    const page = await openConsent(new Browser(), authorize(clientId, { resource: issuer }));
    expect(page.html).toContain("“Notes”");
    expect(page.html).toContain("Nobody has verified this name");
    expect(page.html).toContain(clientId);
    expect(page.html).toContain("127.0.0.1");
  });

  test("A09 a document of another client, of another host, or in a network that is not ours to call", async () => {
    const others = [
      clientId.replace("client", "other"),
      clientId.replace("localhost", "127.0.0.1"),
      "https://169.254.169.254/client.json",
    ];
    for (const id of others) {
      const answer = await fetch(authorize(id), { redirect: "manual" });
      expect([answer.status, answer.headers.get("location")], id).toEqual([400, null]);
    }
  });

  test("A04 it is sent to no address that its document does not name", async () => {
    const url = new URL(authorize(clientId));
    url.searchParams.set("redirect_uri", "https://evil.example/callback");
    const answer = await fetch(url, { redirect: "manual" });
    expect([answer.status, answer.headers.get("location")]).toEqual([400, null]);
  });
});

describe("registration without a token, where the operator opened it", () => {
  const post = async (metadata: object): Promise<Answer> =>
    read(
      await fetch(`${issuer}/oauth/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(metadata),
      }),
    );
  const public_ = { client_name: "Notes", redirect_uris: [callback], token_endpoint_auth_method: "none" };

  test("gives a public application of nobody's tenant, that signs people in without naming a scope", async () => {
    const { body, status } = await post(public_);
    expect([status, body["client_secret"]]).toEqual([201, undefined]);
    const id = String(body["client_id"]);
    const url = await through(new Browser(), authorize(id), callback);
    const answer = await exchange(id, url.searchParams.get("code") ?? "");
    expect(answer.body["scope"]).toBe("openid");
    expect(claimsOf(answer.body["id_token"])).toMatchObject({ aud: id, sub: running.account });
  });

  test("A09 never an agent or a merchant, and nothing that an application may not be", async () => {
    for (const wrong of [{ scope: "oid4ac:payment" }, { redirect_uris: ["http://evil.example/cb"] }])
      expect((await post({ ...public_, ...wrong })).status).toBe(400);
    const agents = await running.database.asAdmin("select 1 from agents");
    expect(agents).toEqual([]);
  });

  test("A09 registrations of strangers are limited per address too", async () => {
    let status = 0;
    for (let attempt = 0; attempt < 40 && status !== 429; attempt++) status = (await post({})).status;
    expect(status).toBe(429);
  });
});
