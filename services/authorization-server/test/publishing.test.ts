import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { AgentCard, canonicalizeAgentCard, verifyAgentCardSignature } from "@a2a-js/sdk";
import { findSignature, type HeaderPair, type PublicJwk, parsePublicJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, holds, thumbprint } from "@remit/protocol/node";
import { type TlsFront, tlsFront } from "@remit/testkit";
import { Resolver, type ResolverRegistry } from "did-resolver";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { getResolver } from "web-did-resolver";
import { type Answer, callAsAdmin, read } from "./client.ts";
import { agentIn, anotherTenant } from "./fleet.ts";
import { Management } from "./management.ts";
import { operatorSecret } from "./operator.ts";
import { freePort, type Running, startServer } from "./running.ts";

let front: TlsFront;
/** Another host, whose private address is open to what tenants name. */
let host: TlsFront;
const pages = new Map<string, { status?: number; location?: string; body?: string }>();
let running: Running;
const started: { close(): Promise<void> }[] = [];
const keys = { assertion: generateJwk("ES256"), dpop: generateJwk("EdDSA") };
let agent: string;

beforeAll(async () => {
  const port = await freePort();
  front = await tlsFront(port);
  started.push(front);
  host = await startHost();
  const tenantOutboundAllow = [`localhost:${host.port}`];
  const server = await startServer({ port, origin: front.origin, issuer: front.origin, tenantOutboundAllow });
  started.push(server);
  running = { ...server, issuer: front.origin };
  agent = await agentIn(running, {
    name: "Resume screener",
    isPublic: true,
    assertionJwk: publicJwkOf(keys.assertion),
    dpopJwk: publicJwkOf(keys.dpop),
  });
});

afterAll(async () => {
  for (const one of started.reverse()) await one.close();
});

const get = async (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  read(await fetch(running.issuer + path, { headers }));
const post = (path: string, body?: object): Promise<Answer> =>
  callAsAdmin(running, { method: "POST", path, ...(body === undefined ? {} : { body }) });
const asAdmin = (path: string): Promise<Answer> => callAsAdmin(running, { method: "GET", path });
const did = (id?: string): string =>
  `did:web:localhost%3A${front.port}${id === undefined ? "" : `:agents:${id}`}`;

describe("DID documents", () => {
  // The two packages state the types of one registry differently.
  const resolver = new Resolver(getResolver() as unknown as ResolverRegistry);

  test("the public resolver finds the issuer and an agent over TLS, at a port, with their keys", async () => {
    const server = await resolver.resolve(did());
    expect(server.didResolutionMetadata.error).toBeUndefined();
    const { keys: jwks } = (await get("/.well-known/jwks.json")).body as { keys: PublicJwk[] };
    const methods = server.didDocument?.verificationMethod ?? [];
    expect(methods.length).toBeGreaterThanOrEqual(5);
    for (const { publicKeyJwk } of methods) expect(jwks).toContainEqual(publicKeyJwk);

    const found = await resolver.resolve(did(agent));
    expect(found.didResolutionMetadata.error).toBeUndefined();
    expect(found.didDocument).toMatchObject({ id: did(agent), controller: did() });
    expect(found.didDocument?.verificationMethod).toEqual([
      method("assertion", "JsonWebKey", keys.assertion),
      method("dpop", "JsonWebKey", keys.dpop),
      method("key-1", "JsonWebKey2020", keys.assertion),
    ]);
    const all = ["assertion", "dpop", "key-1"].map((name) => `${did(agent)}#${name}`);
    expect(found.didDocument).toMatchObject({ authentication: all, assertionMethod: all });
  });

  const method = (name: string, type: string, key: PublicJwk) => ({
    id: `${did(agent)}#${name}`,
    type,
    controller: did(agent),
    publicKeyJwk: publicOf(key),
  });

  test("stand at the addresses of the AgentIdP API too, in the form that is accepted, with a tag", async () => {
    for (const path of [`/agents/${agent}/did`, `/api/v1/agents/${agent}/did`, `/agents/${agent}/did.json`]) {
      const answer = await get(path, { accept: "application/did+ld+json" });
      expect(answer.headers.get("content-type")).toBe("application/did+ld+json");
      expect(answer.headers.get("cache-control")).toBe("public, max-age=60");
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      const etag = String(answer.headers.get("etag"));
      const again = { accept: "application/did+ld+json", "if-none-match": `"other", ${etag}` };
      expect((await fetch(running.issuer + path, { headers: again })).status).toBe(304);
      expect((await fetch(running.issuer + path, { headers: { "if-none-match": etag } })).status).toBe(200);
    }
    expect((await get("/.well-known/did.json")).headers.get("content-type")).toBe("application/did+json");
  });

  test("tell of a private agent its keys and nothing else", async () => {
    const hidden = await agentIn(running, {
      email: "secret.screener@agents.example",
      owner: "secret-team",
      name: "Secret name",
      dpopJwk: publicJwkOf(generateJwk("ES256")),
    });
    const { status, body } = await get(`/agents/${hidden}/did.json`);
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(
      ["@context", "assertionMethod", "authentication", "controller", "id", "verificationMethod"].sort(),
    );
    expect(JSON.stringify(body)).not.toMatch(/secret|screener|resume/i);
    for (const path of ["agent-card.json", "agntcy-record.json"])
      expect(await get(`/agents/${hidden}/${path}`)).toMatchObject({ status: 404 });
    expect(await get(`/api/v1/agents/${hidden}/did/card`)).toMatchObject({ status: 404 });
  });

  test("a suspended agent's keys are good for nothing, a decommissioned one's document is gone", async () => {
    const id = await agentIn(running, { isPublic: true, dpopJwk: publicJwkOf(generateJwk("EdDSA")) });
    const path = (name: string): string => `/agents/${id}/${name}`;
    const directory = path("http-message-signatures-directory");
    expect((await get(directory)).body["keys"]).toHaveLength(1);
    await post(`/api/v1/agents/${id}/suspend`);
    expect((await get(path("did.json"))).body).toMatchObject({ authentication: [], assertionMethod: [] });
    expect((await get(path("did.json"))).body["verificationMethod"]).toHaveLength(2);
    expect((await get(directory)).body["keys"]).toEqual([]);
    expect((await get(path("agent-card.json"))).status).toBe(404);
    await post(`/api/v1/agents/${id}/reactivate`);
    expect((await get(path("did.json"))).body["authentication"]).toHaveLength(2);
    await post(`/api/v1/agents/${id}/decommission`);
    for (const name of [
      "did.json",
      "did",
      "agent-card.json",
      "agntcy-record.json",
      "http-message-signatures-directory",
    ])
      expect((await get(path(name))).body).toMatchObject({ status: 410, code: "document_gone" });
    const gone = await resolver.resolve(did(id));
    expect(gone.didDocument).toBeNull();
    expect((await asAdmin(`/api/v1/agents/${id}/did/resolve`)).status).toBe(410);
  });

  test.each(["agt_01h00000000000000000000000", "agt_x", "org_01h00000000000000000000000"])(
    "%s has none",
    async (id) => {
      for (const name of ["did.json", "did", "agent-card.json"])
        expect([400, 404]).toContain((await get(`/agents/${id}/${name}`)).status);
    },
  );

  test("keys of agents of a suspended organization are good for nothing, and its agents have no card", async () => {
    const operator = await running.service.bootstrap({
      tenant: { name: "Eve's" },
      principal: { email: "eve@example.com", name: "Eve", password: "another correct horse" },
      admin: { clientSecret: "another-admin-secret-of-many-random-bits-012345" },
      operator: { clientSecret: operatorSecret },
    });
    const eve = await anotherTenant(running);
    const id = await agentIn(eve, { isPublic: true, dpopJwk: publicJwkOf(generateJwk("ES256")) });
    expect((await get(`/agents/${id}/agent-card.json`)).status).toBe(200);
    const platform = new Management(
      { issuer: running.issuer, adminId: String(operator.operator?.clientId) },
      operatorSecret,
    );
    const stand = (status: string) =>
      platform.call("PATCH", `/api/v1/organizations/${eve.tenant}`, { status });
    expect((await stand("suspended")).status).toBe(200);
    expect((await get(`/agents/${id}/did.json`)).body).toMatchObject({ assertionMethod: [] });
    expect((await get(`/agents/${id}/agent-card.json`)).status).toBe(404);
    expect((await stand("active")).status).toBe(200);
    expect((await get(`/agents/${id}/agent-card.json`)).status).toBe(200);
  });
});

describe("resolving", () => {
  const resolve = (asked: string, path = "/api/v1/did/resolve"): Promise<Answer> =>
    asAdmin(`${path}?did=${encodeURIComponent(asked)}`);

  test("our own DIDs come from the database, with what is known beside them", async () => {
    const answer = await resolve(did(agent));
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      didDocument: (await get(`/agents/${agent}/did.json`)).body,
      didDocumentMetadata: { created: expect.any(String), updated: expect.any(String) },
      didResolutionMetadata: { contentType: "application/did+json" },
    });
    expect((await asAdmin(`/api/v1/agents/${agent}/did/resolve`)).body).toEqual(answer.body);
    expect((await resolve(did(), "/did/resolve")).body["didDocument"]).toMatchObject({ id: did() });
    expect((await resolve(`${did()}:agents:agt_01h00000000000000000000000`)).status).toBe(404);
    expect((await resolve(`${did()}:people:ada`)).status).toBe(404);
  });

  test("nobody resolves without a token that may read agents", async () => {
    for (const path of [`/did/resolve?did=${did()}`, `/api/v1/agents/${agent}/did/resolve`])
      expect((await get(path)).status).toBe(401);
  });

  test("T01 an organization resolves by id its own agents alone", async () => {
    const eve = await anotherTenant(running);
    const path = `/api/v1/agents/${agent}/did/resolve`;
    expect(await callAsAdmin(eve, { method: "GET", path })).toMatchObject({ status: 404 });
  });

  test("T01 when a private agent was made and last changed is told to its own organization alone", async () => {
    const eve = await anotherTenant(running);
    const metadata = async (isPublic: boolean): Promise<unknown[]> => {
      const path = `/did/resolve?did=${encodeURIComponent(did(await agentIn(running, { isPublic })))}`;
      const answers = [await asAdmin(path), await callAsAdmin(eve, { method: "GET", path })];
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      return answers.map(({ body }) => body["didDocumentMetadata"]);
    };
    const dates = { created: expect.any(String) as string, updated: expect.any(String) as string };
    expect(await metadata(false)).toEqual([dates, {}]);
    expect(await metadata(true)).toEqual([dates, dates]);
  });

  test.each(["did:web:127.0.0.1", "did:web:localhost%2Fx", "did:key:z6Mk", "did:web:a.example:..:b"])(
    "W01 %s is refused before anything is looked up",
    async (asked) => {
      expect((await resolve(asked)).body).toMatchObject({ status: 400, code: "did_invalid" });
    },
  );

  test("W05 a DID that leads into our own network is asked for nowhere", async () => {
    const answer = await resolve("did:web:localhost%3A8443:agents:x");
    expect(answer.body).toMatchObject({ status: 502, code: "did_unresolvable" });
  });
});

describe("DIDs of other hosts", () => {
  test("W05 W06 are fetched once through the guard: a document of another subject, a redirect and a giant are refused", async () => {
    const other = (...path: string[]): string => [`did:web:localhost%3A${host.port}`, ...path].join(":");
    pages.set("/.well-known/did.json", { body: JSON.stringify({ id: other() }) });
    pages.set("/wrong/did.json", { body: JSON.stringify({ id: "did:web:somebody.example" }) });
    pages.set("/moved/did.json", { status: 302, location: `${host.origin}/.well-known/did.json` });
    pages.set("/giant/did.json", {
      body: JSON.stringify({ id: other("giant"), padding: "x".repeat(70_000) }),
    });
    pages.set("/gone/did.json", { status: 410 });
    pages.set("/text/did.json", { body: "no JSON" });
    const resolve = (asked: string): Promise<Answer> =>
      asAdmin(`/did/resolve?did=${encodeURIComponent(asked)}`);
    expect(await resolve(other())).toMatchObject({
      status: 200,
      body: { didDocument: { id: other() }, didDocumentMetadata: {} },
    });
    for (const [path, code] of [
      ["wrong", "did_unresolvable"],
      ["moved", "did_unresolvable"],
      ["giant", "did_unresolvable"],
      ["text", "did_unresolvable"],
      ["gone", "document_gone"],
      ["none", "not_found"],
    ] as const)
      expect((await resolve(other(path))).body).toMatchObject({ code });
  });
});

describe("agent cards", () => {
  const jwksKey = async (kid: string, jku?: string): Promise<Record<string, string>> => {
    if (jku !== `${running.issuer}/.well-known/jwks.json`) throw new Error(`another issuer's jku: ${jku}`);
    const { keys: found } = (await (await fetch(jku)).json()) as { keys: Record<string, string>[] };
    const key = found.find((one) => one["kid"] === kid);
    if (key === undefined) throw new Error("the card's key is published");
    return key;
  };
  const verify = verifyAgentCardSignature(jwksKey);

  // A2A 1.0 §4.4.1: REQUIRED in its a2a.proto.
  const requiredOfCards = [
    "name",
    "description",
    "supportedInterfaces",
    "version",
    "capabilities",
    "defaultInputModes",
    "defaultOutputModes",
    "skills",
  ];

  test("the A2A SDK reads and verifies the card of the issuer and of an agent, by the keys at jku", async () => {
    for (const path of [
      "/.well-known/agent-card.json",
      "/did/card",
      "/api/v1/did/card",
      `/agents/${agent}/agent-card.json`,
      `/api/v1/agents/${agent}/did/card`,
    ]) {
      const { body } = await get(path);
      const card = AgentCard.fromJSON(body);
      await verify(card);
      await verify(body as unknown as AgentCard); // as it came, which is what the verifier parses anyway
      // What the SDK signs of a card is all of it but what is empty: nothing of ours stands outside its schema.
      const { signatures: _, ...rest } = body;
      expect({ supportedInterfaces: [], ...JSON.parse(canonicalizeAgentCard(card)) }).toEqual(rest);
      for (const member of requiredOfCards) expect(body, path).toHaveProperty(member);
    }
    const own = AgentCard.fromJSON((await get("/.well-known/agent-card.json")).body);
    const about = own.capabilities?.extensions.find(({ uri }) => uri.endsWith("/rfc9728"))?.params ?? {};
    const resource = (await (await fetch(String(about["resource_metadata"]))).json()) as Record<
      string,
      unknown
    >;
    expect(resource).toMatchObject({ resource: running.issuer, authorization_servers: [running.issuer] });
    const server = (await (await fetch(String(about["issuer_metadata"]))).json()) as Record<string, unknown>;
    expect(server["token_endpoint"]).toBe(`${running.issuer}/oauth/token`);
    const card = AgentCard.fromJSON((await get(`/agents/${agent}/agent-card.json`)).body);
    expect(card.name).toBe("Resume screener");
    expect(card.skills.map(({ id }) => id)).toEqual(["resume:read", "email:send"]);
  });

  test("a card that somebody changed verifies no more", async () => {
    const { body } = await get(`/agents/${agent}/agent-card.json`);
    // The SDK prints each signature that it could not verify.
    vi.spyOn(console, "debug").mockReturnValue(undefined);
    for (const change of [{ name: "Somebody else" }, { skills: [] }, { version: "9.9.9" }])
      await expect(verify(AgentCard.fromJSON({ ...body, ...change }))).rejects.toThrow("No valid signatures");
  });

  test("tell nothing that is not for everybody, and an e-mail address not even as a name", async () => {
    const id = await agentIn(running, { email: "leak@agents.example", owner: "leak-team", isPublic: true });
    for (const path of [`/agents/${id}/agent-card.json`, `/agents/${id}/agntcy-record.json`]) {
      const { status, body } = await get(path);
      expect(status).toBe(200);
      expect(JSON.stringify(body)).not.toMatch(/leak|@|oid4ac/);
    }
  });

  test("are tagged by what they say, though each signature differs", async () => {
    const path = `/agents/${agent}/agent-card.json`;
    const etag = String((await get(path)).headers.get("etag"));
    expect((await fetch(running.issuer + path, { headers: { "if-none-match": etag } })).status).toBe(304);
  });
});

describe("AGNTCY records", () => {
  test("have what OASF asks for, and the owner only for the agent's own organization", async () => {
    const { body } = await get(`/agents/${agent}/agntcy-record.json`);
    expect(body).toMatchObject({
      schema_version: "1.1.0",
      name: "Resume screener",
      version: "1.4.0",
      skills: [{ name: "governance_compliance/content_moderation" }],
      annotations: {
        did: did(agent),
        capabilities: "resume:read email:send",
        identityProvider: running.issuer,
      },
    });
    for (const member of ["description", "authors", "created_at", "locators", "modules"])
      expect(body[member]).toBeDefined();
    expect(JSON.stringify(body)).not.toContain("talent-team");
    const own = await asAdmin(`/api/v1/agents/${agent}/agntcy-record`);
    expect(own.body).toMatchObject({
      annotations: {
        did: did(agent),
        name: expect.stringContaining("@agents.example"),
        agentType: "screener",
        capabilities: "resume:read email:send",
        owner: "talent-team",
        version: "1.4.0",
        deploymentEnv: "production",
        identityProvider: running.issuer,
        issuedAt: expect.any(String),
      },
    });
    const eve = await anotherTenant(running);
    const path = `/api/v1/agents/${agent}/agntcy-record`;
    expect((await callAsAdmin(eve, { method: "GET", path })).status).toBe(404);
  });
});

describe("keys of HTTP messages (Web Bot Auth)", () => {
  const mediaType = "application/http-message-signatures-directory+json";

  test("the issuer's directory is signed by each key in it, over the authority that was asked", async () => {
    const { keys: listed, signed } = await directoryAt("/.well-known/http-message-signatures-directory");
    expect(listed.length).toBeGreaterThanOrEqual(1);
    for (const [index, key] of listed.entries()) {
      expect(key).toEqual({ kty: "OKP", crv: "Ed25519", x: key.x, kid: thumbprint(key), use: "sig" });
      expect(signed(`binding${index}`, key)).toMatchObject({
        keyid: key.kid,
        alg: "ed25519",
        tag: "http-message-signatures-directory",
      });
    }
  });

  test("an agent's directory lists its Ed25519 key alone, by thumbprint, and the issuer vouches for it", async () => {
    const [ours] = (await directoryAt("/.well-known/http-message-signatures-directory")).keys;
    for (const path of ["", "/.well-known"]) {
      const found = await directoryAt(`/agents/${agent}${path}/http-message-signatures-directory`);
      expect(found.keys.map(({ kid }) => kid)).toEqual([thumbprint(publicJwkOf(keys.dpop))]);
      if (ours === undefined) throw new Error("the issuer has a key");
      expect(found.signed("binding0", ours)).toMatchObject({ keyid: ours.kid });
    }
  });

  type Listed = PublicJwk & { readonly kid: string; readonly x: string };
  /** The directory, and what stands in a signature of it that this key verifies. */
  async function directoryAt(path: string) {
    const answer = await fetch(running.issuer + path, { headers: { accept: mediaType } });
    expect(answer.headers.get("content-type")).toBe(mediaType);
    const body = await answer.text();
    const digest = createHash("sha256").update(body).digest("base64");
    expect(answer.headers.get("content-digest")).toBe(`sha-256=:${digest}:`);
    const fields = [...answer.headers] as HeaderPair[];
    const request = { method: "GET", targetUri: running.issuer + path };
    const { keys: listed } = JSON.parse(body) as { keys: Listed[] };
    const signed = (label: string, jwk: PublicJwk) => {
      const found = findSignature(label, { request, response: { status: 200, fields } });
      const key = parsePublicJwk(jwk);
      if (found === undefined || key === undefined) throw new Error(`no signature ${label}`);
      expect(found.components).toEqual([{ name: "@authority", req: true }, { name: "content-digest" }]);
      expect(found.base).toContain(`"@authority";req: localhost:${front.port}`);
      const data = Buffer.from(found.base);
      const signature = Buffer.from(found.signature, "base64");
      expect(holds({ alg: "EdDSA", key, data, signature, refuse: "invalid_request" })).toBe(true);
      return found.parameters;
    };
    return { keys: listed, signed };
  }
});

async function startHost(): Promise<TlsFront> {
  const server = createServer((req, res) => {
    const { status = 200, location, body } = pages.get(req.url ?? "") ?? { status: 404 };
    res.writeHead(status, {
      "content-type": "application/json",
      ...(location === undefined ? {} : { location }),
    });
    res.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this shape.
  const inFront = await tlsFront((server.address() as AddressInfo).port);
  started.push({ close: async () => void server.close() }, inFront);
  return inFront;
}

const publicOf = ({ kty, crv, x, y, kid, alg }: Record<string, unknown>): object =>
  JSON.parse(JSON.stringify({ kty, crv, x, y, kid, alg }));
