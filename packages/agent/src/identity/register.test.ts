import { isJsonObject, parseJwks } from "@remit/protocol";
import { describe, expect, test } from "vitest";
import { keyOf, makeKeys, registerAgent, registerKeys } from "./index.ts";

const issuer = "https://as.example";
const request = { issuer, setupToken: "setup-1", name: "Buyer", redirectUris: ["http://127.0.0.1/callback"] };

const bodyOf = ({ body }: RequestInit): string => (typeof body === "string" ? body : "");

describe("a registration", () => {
  test("sends two public keys and the setup token, and keeps the private halves here", async () => {
    const seen: { url: string; init: RequestInit }[] = [];
    const fetch = async (url: string, init: RequestInit): Promise<Response> => {
      seen.push({ url, init });
      return Response.json({ client_id: "agt_1" }, { status: 201 });
    };
    const { clientId, keys } = await registerAgent({ ...request, fetch });
    expect(clientId).toBe("agt_1");
    const [{ url, init } = { url: "", init: {} }] = seen;
    expect(url).toBe(`${issuer}/oauth/register`);
    expect(init.redirect).toBe("manual");
    expect(new Headers(init.headers).get("authorization")).toBe("Bearer setup-1");
    const sent: unknown = JSON.parse(bodyOf(init));
    const jwks = parseJwks(isJsonObject(sent) ? sent["jwks"] : undefined);
    expect(jwks?.map((key) => key.kty === "EC" && key.x)).toEqual([keys.assertion.x, keys.dpop.x]);
    expect(bodyOf(init)).not.toContain(keys.assertion.d);
    expect(bodyOf(init)).not.toContain(keys.dpop.d);
    expect(keys.assertion.x).not.toBe(keys.dpop.x);
  });

  test("takes keys that live elsewhere", async () => {
    const made = await makeKeys();
    const fetch = async (): Promise<Response> => Response.json({ client_id: "agt_2" }, { status: 201 });
    const keys = { assertion: keyOf(made.assertion), dpop: keyOf(made.dpop) };
    await expect(registerKeys({ ...request, fetch }, keys)).resolves.toBe("agt_2");
  });

  test.each([
    ["a used setup token", () => Response.json({ error: "setup_token_invalid" }, { status: 401 }), 401],
    [
      "a redirect",
      () => new Response(null, { status: 302, headers: { location: "https://evil.example" } }),
      302,
    ],
    ["an answer without a client", () => Response.json({}, { status: 201 }), 201],
    ["no JSON", () => new Response("<html>", { status: 200 }), 200],
    ["an endless answer", () => new Response(new Uint8Array(3 * 1024 * 1024), { status: 200 }), 200],
  ])("ends with %s", async (_, answer, status) => {
    await expect(registerAgent({ ...request, fetch: async () => answer() })).rejects.toMatchObject({
      status,
    });
  });
});
