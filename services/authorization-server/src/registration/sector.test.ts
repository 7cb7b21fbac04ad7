import type { Outbound, OutboundAnswer } from "@remit/platform/outbound";
import { Problem } from "@remit/protocol";
import { describe, expect, test } from "vitest";
import { checkAddresses } from "./sector.ts";

const redirectUris = ["https://a.example/cb", "https://b.example/cb"];
const sector_identifier_uri = "https://sector.example/list.json";

const checked = (body: unknown, answer: Partial<OutboundAnswer> = {}): Promise<string> => {
  const outbound = {
    check: () => Promise.resolve(),
    request: () =>
      Promise.resolve({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(body)), ...answer }),
  } as unknown as Outbound; // What the check uses of it.
  return checkAddresses(outbound, { redirectUris, metadata: { sector_identifier_uri } }).then(
    () => "accepted",
    (error: unknown) => (error instanceof Problem ? error.code : "not a problem"),
  );
};

describe("OpenID registration §5: a sector speaks for the redirects that it lists", () => {
  test("one that lists every redirect is accepted, also with others beside them", async () => {
    expect(await checked([...redirectUris, "https://c.example/cb"])).toBe("accepted");
  });

  test.each([
    ["lists one of two", [redirectUris[0]], {}],
    ["lists others", ["https://evil.example/cb"], {}],
    ["is no list", { redirect_uris: redirectUris }, {}],
    ["is a redirect", redirectUris, { status: 302 }],
    ["is an error", redirectUris, { status: 404 }],
  ])("A09 one that %s is refused", async (_what, body, answer) => {
    expect(await checked(body, answer)).toBe("invalid_client_metadata");
  });
});

test("W01 an address that we would call is looked at when it is registered", async () => {
  const outbound = {
    check: () => Promise.reject(new Problem("outbound_refused")),
  } as unknown as Outbound; // What the check uses of it.
  for (const name of ["jwks_uri", "backchannel_logout_uri", "backchannel_client_notification_endpoint"]) {
    const wanted = { redirectUris, metadata: { [name]: "https://10.0.0.1/" } };
    await expect(checkAddresses(outbound, wanted)).rejects.toThrow(Problem);
  }
});
