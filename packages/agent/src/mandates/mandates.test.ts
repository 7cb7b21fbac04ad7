import { describe, expect, test } from "vitest";
import { callbackOf, issuer, keys, makeWorld, shop, wish, withMandate } from "../../test/world.ts";
import { type AgentKey, keyOfPair } from "../index.ts";

describe("a mandate", () => {
  test("is asked for by PAR, with details, PKCE and a proof; its code is redeemed once", async () => {
    const world = makeWorld();
    const agent = world.agent();
    const pending = await agent.requestMandate(wish);
    const form = new URLSearchParams(
      world.seen.findLast(({ step }) => step === "request mandate")?.request.body,
    );
    expect(JSON.parse(form.get("authorization_details") ?? "")).toEqual([wish.details]);
    expect(form.get("resource")).toBe(shop);
    expect(form.get("code_challenge_method")).toBe("S256");
    // Nothing of the request may stand in the front channel but its reference.
    expect([...new URL(pending.authorizeUrl).searchParams.keys()]).toEqual(["client_id", "request_uri"]);
    const mandate = await pending.complete(callbackOf(pending.authorizeUrl, world));
    expect(mandate.details).toMatchObject({ amount_minor: 5000, currency: "USD" });
    expect(await agent.mandates()).toEqual([mandate]);
  });

  test.each([
    ["A07 without iss", { iss: "" }],
    ["A07 with another iss", { iss: "https://evil.example" }],
    ["A07 with iss and a slash", { iss: `${issuer}/` }],
    ["without state", { state: "" }],
    ["with another state", { state: "x".repeat(22) }],
  ])("an answer %s is refused and its code never sent", async (_, changes) => {
    const world = makeWorld();
    const pending = await world.agent().requestMandate(wish);
    const tokensBefore = world.count("redeem code");
    await expect(pending.complete(callbackOf(pending.authorizeUrl, world, changes))).rejects.toMatchObject({
      code: "invalid_request",
    });
    expect(world.count("redeem code")).toBe(tokensBefore);
  });

  test("A07 an error from another issuer is not believed", async () => {
    const world = makeWorld();
    const pending = await world.agent().requestMandate(wish);
    const forged = callbackOf(pending.authorizeUrl, world, {
      code: "",
      error: "access_denied",
      iss: "https://evil.example",
    });
    await expect(pending.complete(forged)).rejects.toMatchObject({ code: "invalid_request" });
    const denied = callbackOf(pending.authorizeUrl, world, { code: "", error: "access_denied" });
    await expect(pending.complete(denied)).rejects.toMatchObject({ code: "access_denied" });
  });

  test("a refused code, metadata of another issuer and a bearer token end the request", async () => {
    const world = makeWorld();
    const pending = await world.agent().requestMandate(wish);
    await expect(
      pending.complete(callbackOf(pending.authorizeUrl, world, { code: "stolen" })),
    ).rejects.toMatchObject({ code: "invalid_token" });

    const mixed = makeWorld();
    mixed.handlers.set(`${issuer}/.well-known/oauth-authorization-server`, () =>
      Response.json({ issuer: "https://evil.example" }),
    );
    await expect(mixed.agent().requestMandate(wish)).rejects.toMatchObject({ code: "invalid_request" });

    const bearer = makeWorld();
    bearer.handlers.set(`${issuer}/oauth/token`, () =>
      Response.json({ access_token: "t", token_type: "Bearer", expires_in: 300 }),
    );
    await expect(bearer.agent().tokenFor(shop)).rejects.toMatchObject({ code: "invalid_token" });
  });

  test("a mandate that the issuer did not sign is not kept", async () => {
    const world = makeWorld();
    const agent = world.agent();
    const pending = await agent.requestMandate(wish);
    world.handlers.set(`${issuer}/oauth/jwks.json`, () => Response.json({ keys: [] }));
    await expect(pending.complete(callbackOf(pending.authorizeUrl, world))).rejects.toMatchObject({
      code: "mandate_signature_invalid",
    });
    expect(await agent.mandates()).toEqual([]);
  });
});

describe("tokens", () => {
  test("one is asked for per origin, however many wait for it, and made anew before it expires", async () => {
    const world = makeWorld();
    const agent = world.agent();
    const [first, second] = await Promise.all([agent.tokenFor(shop), agent.tokenFor(shop)]);
    expect(first).toBe(second);
    expect(await agent.tokenFor("https://other.example")).not.toBe(first);
    expect(await agent.tokenFor(shop)).toBe(first);
    world.at.now = (world.at.now + 281_000) as typeof world.at.now;
    expect(await agent.tokenFor(shop)).not.toBe(first);
  });

  test("K08 a clock that goes back an hour keeps no token past its end", async () => {
    const world = makeWorld();
    const agent = world.agent();
    const first = await agent.tokenFor(shop);
    world.at.now = (world.at.now - 3_600_000) as typeof world.at.now;
    expect(await agent.tokenFor(shop)).toBe(first);
    world.at.ranMs += 281_000;
    expect(await agent.tokenFor(shop)).not.toBe(first);
  });

  test("a failure is not kept", async () => {
    const world = makeWorld();
    const token = world.handlers.get(`${issuer}/oauth/token`);
    world.handlers.set(`${issuer}/oauth/token`, () => new Response("down", { status: 503 }));
    const agent = world.agent();
    await expect(agent.tokenFor(shop)).rejects.toMatchObject({ status: 503 });
    if (token !== undefined) world.handlers.set(`${issuer}/oauth/token`, token);
    await expect(agent.tokenFor(shop)).resolves.toMatch(/^ey/);
  });

  test("a refresh token is spent once, however many ask, and replaced", async () => {
    const world = makeWorld();
    const agent = await withMandate(world);
    const [mandate] = await agent.mandates();
    await Promise.all([agent.refresh(mandate?.id ?? ""), agent.refresh(mandate?.id ?? "")]);
    expect(
      world.seen.filter(({ step, response }) => step === "refresh" && response.status === 200),
    ).toHaveLength(1);
    expect((await agent.mandates())[0]?.refreshToken).toBe("refresh-2");
    await expect(agent.refresh("mnd_none")).rejects.toMatchObject({ code: "invalid_grant" });
  });
});

describe("keys", () => {
  test("an agent whose key cannot leave WebCrypto asks and is answered", async () => {
    const world = makeWorld();
    const subtle = async (): Promise<AgentKey> =>
      keyOfPair(
        await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]),
      );
    const stranger = world.agent({ keys: { assertion: keys.assertion, dpop: await subtle() } });
    // Another key than the registered one is refused, but by the server: the proof itself was well made.
    await expect(stranger.tokenFor(shop)).rejects.toMatchObject({ code: "invalid_dpop_proof" });
    const key = await crypto.subtle.importKey(
      "jwk",
      strip(keys.dpop),
      { name: "ECDSA", namedCurve: "P-256" },
      false,
      ["sign"],
    );
    const { d: _, ...open } = strip(keys.dpop);
    const publicKey = await crypto.subtle.importKey(
      "jwk",
      open,
      { name: "ECDSA", namedCurve: "P-256" },
      true,
      ["verify"],
    );
    const agent = world.agent({
      keys: { assertion: keys.assertion, dpop: await keyOfPair({ privateKey: key, publicKey }) },
    });
    await expect(agent.tokenFor(shop)).resolves.toMatch(/^ey/);
  });
});

const strip = ({ kid: _kid, alg: _alg, use: _use, ...jwk }: typeof keys.dpop): JsonWebKey => jwk;
