import { describe, expect, test } from "vitest";
import { createResources } from "./resources.ts";
import type { ClientEntity, Ctx } from "./seam.ts";

const issuer = "https://remit.example";
const directory = "https://directory.example";
const gateway = "https://gateway.example";
const resources = createResources({
  issuer,
  peers: [
    { name: "directory", origin: directory },
    { name: "gateway", origin: gateway },
  ],
  kid: () => "key-1",
});

// The two look at these members alone.
const client = (remit_kind: string): ClientEntity => ({ remit_kind }) as unknown as ClientEntity;
const asking = (params: Record<string, string>): Ctx => ({ oidc: { params } }) as unknown as Ctx;

const scopeOf = async (kind: string, resource: string): Promise<string> => {
  try {
    return (await resources.infoOf(asking({}), resource, client(kind))).scope;
  } catch {
    return "refused";
  }
};

describe("a token is for one resource that its client has business with", () => {
  test.each([
    ["agent", "https://shop.example", "oid4ac:payment"],
    ["agent", "http://localhost:3402", "oid4ac:payment"],
    ["agent", issuer, "oid4ac:payment"],
    ["merchant", issuer, "charges:write directory:read"],
    ["merchant", directory, "directory:read directory:write"],
    ["merchant", gateway, "charges:write directory:read directory:write"],
    ["agent", "http://shop.localhost:3402", "oid4ac:payment"],
    ["peer", issuer, "events:write ssf.manage ssf.read tokens:read"],
    ["wallet", issuer, "wallet:read wallet:write"],
  ])("%s may ask for %s", async (kind, resource, scope) => {
    expect(await scopeOf(kind, resource)).toBe(scope);
  });

  test.each([
    ["agent", "https://shop.example/"],
    ["agent", "https://shop.example/a"],
    ["agent", "https://shop.example:443"],
    ["agent", "https://user@shop.example"],
    ["agent", "http://shop.example"],
    ["agent", "http://localhost.example"],
    ["agent", "http://shoplocalhost"],
    ["agent", "ftp://shop.example"],
    ["agent", "urn:shop"],
    ["merchant", "https://shop.example"],
    ["admin", "https://shop.example"],
    ["peer", "https://shop.example"],
    ["peer", directory],
    ["wallet", "https://shop.example"],
    ["stranger", issuer],
  ])("%s may not ask for %s", async (kind, resource) => {
    expect(await scopeOf(kind, resource)).toBe("refused");
  });

  test("a token of a person's grant lives 300 s, one by client credentials 900 s", async () => {
    const life = async (grant_type: string) =>
      (await resources.infoOf(asking({ grant_type }), issuer, client("agent"))).accessTokenTTL;
    expect(await life("authorization_code")).toBe(300);
    expect(await life("client_credentials")).toBe(900);
  });
});
