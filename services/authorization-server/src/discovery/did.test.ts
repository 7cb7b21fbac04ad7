import { publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { expect, test } from "vitest";
import { didDocument, didOfAgent, didOfServer } from "./did.ts";

test("a did:web names host and port as the method wants", () => {
  expect(didOfServer("https://as.example")).toBe("did:web:as.example");
  expect(didOfServer("http://localhost:3000")).toBe("did:web:localhost%3A3000");
  expect(didOfAgent("https://as.example", "agt_1")).toBe("did:web:as.example:agents:agt_1");
});

test("a document lists each key once and uses it by reference", () => {
  const jwk = publicJwkOf(generateJwk("ES256"));
  const document = didDocument("did:web:as.example", [{ name: "k", jwk }], "did:web:owner.example");
  expect(document).toMatchObject({
    id: "did:web:as.example",
    controller: "did:web:owner.example",
    verificationMethod: [{ id: "did:web:as.example#k", type: "JsonWebKey", publicKeyJwk: jwk }],
    authentication: ["did:web:as.example#k"],
  });
  expect(JSON.stringify(document)).not.toContain('"d":');
});
