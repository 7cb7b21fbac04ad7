import { createServer, type Server } from "node:http";
import { migrations } from "@remit/authorization-server";
import { publicJwkOf } from "@remit/protocol";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OAuthClient } from "./client.ts";
import { newKeys, startWith } from "./running.ts";

const keys = newKeys();
let billing: Server;
let origin: string;
let database: TestDatabase;
let running: Awaited<ReturnType<typeof startWith>>;

beforeAll(async () => {
  billing = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: [publicJwkOf(keys.assertion)] }));
  });
  await new Promise<void>((resolve) => billing.listen(0, "127.0.0.1", resolve));
  const address = billing.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  origin = `http://localhost:${port}`;
  database = await testDatabase({ service: "authorization_server", sources: migrations });
  running = await startWith(database, {
    peers: { billing: origin, portal: origin },
    outboundAllow: [`localhost:${port}`],
  });
});
afterAll(async () => {
  await running.close();
  await database.drop();
  billing.close();
});

const claimsOf = (token: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString("utf8"));

describe("a service of ours is a client by its origin alone", () => {
  test("it proves itself with a key it publishes, and its token is bound to the proof's key", async () => {
    const peer = new OAuthClient(running, "billing", keys);
    const answer = await peer.credentials({ scope: "events:write", resource: running.issuer });
    expect(answer.body).toMatchObject({ token_type: "DPoP", scope: "events:write" });
    expect(claimsOf(answer.body["access_token"])).toMatchObject({
      client_id: "billing",
      aud: running.issuer,
      organization_id: "org_00000000000000000000000000",
    });
  });

  test("with another key, under another name, or for a stranger's origin it gets nothing", async () => {
    const thief = new OAuthClient(running, "billing", newKeys());
    expect((await thief.credentials({ scope: "events:write" })).body["error"]).toBe("invalid_client");
    const stranger = new OAuthClient(running, "payroll", keys);
    expect((await stranger.credentials({ scope: "events:write" })).body["error"]).toBe("invalid_client");
    const peer = new OAuthClient(running, "billing", keys);
    const outside = await peer.credentials({ scope: "events:write", resource: "https://shop.example" });
    expect(outside.body["error"]).toBe("invalid_target");
  });

  test.each(["wallet:write", "payments:execute", "plans:write", "directory:write"])(
    "no service gets what it does not need of us: %s",
    async (scope) => {
      const peer = new OAuthClient(running, "billing", keys);
      const greedy = await peer.credentials({ scope, resource: running.issuer });
      expect(greedy.body["error"]).toBe("invalid_scope");
    },
  );

  test("each gets its own: the portal asks about tokens, and tells no events as billing does", async () => {
    const portal = new OAuthClient(running, "portal", keys);
    const asks = await portal.credentials({ scope: "tokens:read", resource: running.issuer });
    expect(asks.body).toMatchObject({ scope: "tokens:read" });
    for (const scope of ["events:write", "payments:execute", "events:write tokens:read"])
      expect((await portal.credentials({ scope, resource: running.issuer })).body["error"]).toBe(
        "invalid_scope",
      );
    // Without a scope: what it may have, and no more.
    const all = await portal.credentials({ resource: running.issuer });
    expect([undefined, "tokens:read"]).toContain(all.body["scope"]);
    // Nobody who has taken over a service of ours gets a token for another one.
    const aside = await portal.credentials({ scope: "tokens:read", resource: origin });
    expect(aside.body["error"]).toBe("invalid_target");
  });
});
