import { publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import { didDocument, didOfAgent, didOfServer } from "./did.ts";
import { documentUrlOf } from "./did-web.ts";
import { didTypeFor } from "./media-types.ts";

test("a did:web names host and port as the method wants", () => {
  expect(didOfServer("https://as.example")).toBe("did:web:as.example");
  expect(didOfServer("http://localhost:3000")).toBe("did:web:localhost%3A3000");
  expect(didOfAgent("https://as.example", "agt_1")).toBe("did:web:as.example:agents:agt_1");
});

test("a document lists each key once, the first also by its former name, and uses them by reference", () => {
  const jwk = publicJwkOf(generateJwk("ES256"));
  const document = didDocument("did:web:as.example", {
    keys: [{ name: "k", jwk }],
    controller: "did:web:owner.example",
  });
  expect(document).toMatchObject({
    id: "did:web:as.example",
    controller: "did:web:owner.example",
    verificationMethod: [
      { id: "did:web:as.example#k", type: "JsonWebKey", publicKeyJwk: jwk },
      { id: "did:web:as.example#key-1", type: "JsonWebKey2020", publicKeyJwk: jwk },
    ],
    authentication: ["did:web:as.example#k", "did:web:as.example#key-1"],
  });
  expect(JSON.stringify(document)).not.toContain('"d":');
});

test("keys of whoever may not act are shown, and good for nothing", () => {
  const jwk = publicJwkOf(generateJwk("ES256"));
  const document = didDocument("did:web:a.example", { keys: [{ name: "k", jwk }], active: false });
  expect(document.verificationMethod).toHaveLength(2);
  expect(document).toMatchObject({ authentication: [], assertionMethod: [] });
});

describe("the address of a did:web's document", () => {
  test.each([
    ["did:web:as.example", "https://as.example/.well-known/did.json"],
    ["did:web:as.example%3A8443", "https://as.example:8443/.well-known/did.json"],
    ["did:web:as.example:agents:agt_1", "https://as.example/agents/agt_1/did.json"],
    ["did:web:as.example%3A8443:a:b", "https://as.example:8443/a/b/did.json"],
  ])("%s is %s", (did, url) => expect(documentUrlOf(did)).toBe(url));

  test.each([
    "did:key:z6Mk",
    "did:web:",
    "did:web::agents",
    "did:web:as.example:",
    "did:web:as.example::b",
    "did:web:as.example:..:b",
    "did:web:as.example:%2e%2e:b",
    "did:web:as.example:a%2Fb",
    "did:web:as.example%2Fb",
    "did:web:user@as.example",
    "did:web:user%40as.example",
    "did:web:as.example%3A99999",
    "did:web:as.example%3A",
    "did:web:as.example?x=1",
    "did:web:as.example#key-1",
    "did:web:as.example/path",
    "did:web:127.0.0.1",
    "did:web:2130706433",
    "did:web:0x7f.1",
    "did:web:%5B%3A%3A1%5D",
    `did:web:${"a".repeat(600)}.example`,
  ])("W01 %s has none", (did) => expect(documentUrlOf(did)).toBeUndefined());
});

test.each([
  [undefined, "application/did+json"],
  ["*/*", "application/did+json"],
  ["application/did+json", "application/did+json"],
  ["application/did+ld+json, application/json;q=0.5", "application/did+ld+json"],
  ["application/ld+json", "application/did+ld+json"],
  ["application/json", "application/json"],
  ["text/html, application/json;q=0", "application/did+json"],
])("who accepts %s gets %s", (accept, type) => expect(didTypeFor(accept)).toBe(type));
