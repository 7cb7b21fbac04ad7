import { type Clock, type Instant, instantOf } from "@remit/kernel";
import type { Outbound, OutboundAnswer } from "@remit/platform/outbound";
import { Problem, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import { createClientDocuments, isDocumentId } from "./documents.ts";

const id = "https://app.example/oauth/client.json";
const document = {
  client_id: id,
  client_name: "Notes",
  redirect_uris: ["http://127.0.0.1/callback"],
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: "none",
};

/** A guard that lets everything through, and a web of one document. */
const world = (body: unknown, answer: Partial<OutboundAnswer> = {}) => {
  let fetched = 0;
  let now = 1_795_300_000_000;
  const clock: Clock = { now: () => instantOf(now), monotonicNs: () => 0n };
  const outbound = {
    check: () => Promise.resolve(),
    request: ({ url }: { url: string }) => {
      fetched += 1;
      const said = typeof body === "function" ? body(url) : body;
      const text = typeof said === "string" ? said : JSON.stringify(said);
      return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(text), ...answer });
    },
  } as unknown as Outbound; // What documents use of it.
  const documents = createClientDocuments({ outbound, clock });
  return {
    clientAt: (asked: string) => documents.clientAt(asked),
    fetched: () => fetched,
    later: (seconds: number): Instant => instantOf((now += seconds * 1000)),
  };
};

describe("A09 nobody fills the memory of documents", () => {
  // Whatever is under /good is a client; everything else is none.
  const web = () =>
    world((url: string) => (url.includes("/good") ? { ...document, client_id: url } : "nothing"), {
      headers: { "cache-control": "max-age=3600" },
    });

  test("A09 one site keeps fifty, on however many hosts, and pushes out nobody else's", async () => {
    const { clientAt, fetched } = web();
    await clientAt("https://app.example/good");
    for (let n = 0; n < 600; n++) await clientAt(`https://h${n}.evil.example.com/good/${n}`);
    const before = fetched();
    await clientAt("https://app.example/good");
    for (let n = 550; n < 600; n++) await clientAt(`https://h${n}.evil.example.com/good/${n}`);
    expect(fetched()).toBe(before);
    await clientAt("https://h549.evil.example.com/good/549");
    expect(fetched()).toBe(before + 1);
  });

  test("A09 made-up addresses of a site push out no client of it", async () => {
    const { clientAt, fetched } = web();
    await clientAt("https://app.example/good");
    for (let n = 0; n < 200; n++) await clientAt(`https://app.example/made-up/${n}`);
    const before = fetched();
    expect(await clientAt("https://app.example/good")).toBeDefined();
    expect(fetched()).toBe(before);
  });

  test("A09 of many sites the fullest gives way", async () => {
    const { clientAt, fetched } = web();
    await clientAt("https://app.example/good");
    for (let site = 0; site < 12; site++)
      for (let n = 0; n < 49; n++) await clientAt(`https://evil${site}.com/good/${n}`);
    const before = fetched();
    await clientAt("https://app.example/good");
    expect(fetched()).toBe(before);
  });
});

describe("a client that is known by its document", () => {
  test("is an application of nobody's tenant, public, with the name that it gives itself", async () => {
    expect(await world(document).clientAt(id)).toMatchObject({
      id,
      kind: "application",
      name: "Notes",
      live: true,
      redirectUris: document.redirect_uris,
      metadata: { token_endpoint_auth_method: "none", application_type: "native" },
      secretDigest: undefined,
    });
  });

  test("may prove itself by keys", async () => {
    const jwks = { keys: [publicJwkOf(generateJwk("ES256"))] };
    const keyed = { ...document, token_endpoint_auth_method: "private_key_jwt", jwks };
    expect((await world(keyed).clientAt(id))?.metadata.jwks).toEqual(jwks);
  });

  test("is asked for once in as long as it says, and a refusal is not asked for again at once", async () => {
    const kept = world(document, { headers: { "cache-control": "public, max-age=120" } });
    await Promise.all([kept.clientAt(id), kept.clientAt(id)]);
    kept.later(119);
    await kept.clientAt(id);
    expect(kept.fetched()).toBe(1);
    kept.later(2);
    await kept.clientAt(id);
    expect(kept.fetched()).toBe(2);
    const gone = world(document, { status: 404 });
    for (let time = 0; time < 3; time++) expect(await gone.clientAt(id)).toBeUndefined();
    expect(gone.fetched()).toBe(1);
  });
});

describe("A09 a document that is not its client's own, or asks for what it may not have, is no client", () => {
  test.each([
    ["of another address", { ...document, client_id: "https://stripe.example/client.json" }, {}],
    ["without its address", { ...document, client_id: undefined }, {}],
    ["with a secret", { ...document, client_secret: "s" }, {}],
    ["that wants a secret", { ...document, token_endpoint_auth_method: "client_secret_basic" }, {}],
    ["with a redirect elsewhere by http", { ...document, redirect_uris: ["http://evil.example/cb"] }, {}],
    ["without redirects", { ...document, redirect_uris: [] }, {}],
    ["with a scope that is not for applications", { ...document, scope: "wallet:write" }, {}],
    ["with a name that deceives", { ...document, client_name: "Stripe\u202e" }, {}],
    ["that is no object", [document], {}],
    ["that is no JSON", "<html>", {}],
    [
      "with a member twice",
      `{"client_id":"${id}","client_id":"${id}","redirect_uris":["https://a.example/cb"]}`,
      {},
    ],
    ["behind a redirect", document, { status: 302, headers: { location: id } }],
    ["behind an error", document, { status: 500 }],
  ])("A09 %s", async (_what, body, answer) => {
    expect(await world(body, answer).clientAt(id)).toBeUndefined();
  });

  test("W01 one that the outbound guard refuses, or that is too large for it", async () => {
    for (const code of ["outbound_refused", "outbound_failed"] as const) {
      const outbound = {
        check: () => Promise.resolve(),
        request: () => Promise.reject(new Problem(code)),
      } as unknown as Outbound; // What documents use of it.
      const clock: Clock = { now: () => instantOf(0), monotonicNs: () => 0n };
      expect(await createClientDocuments({ outbound, clock }).clientAt(id)).toBeUndefined();
    }
  });
});

test.each([
  "http://app.example/client.json",
  "https://app.example",
  "https://app.example/",
  "https://app.example/a/../client.json",
  "https://app.example/client.json#x",
  "https://user@app.example/client.json",
  "https://APP.example/client.json",
  "https://app.example:443/client.json",
  "ftp://app.example/client.json",
  `https://app.example/${"x".repeat(512)}`,
  "cli_01",
])("A09 %s names no document", async (name) => {
  const asked = world(document);
  expect(isDocumentId(name)).toBe(false);
  expect(await asked.clientAt(name)).toBeUndefined();
  expect(asked.fetched()).toBe(0);
});
