import { describe, expect, test } from "vitest";
import { details, issuer, makeWorld, shop, type World } from "../../test/world.ts";
import type { AgentOptions, MandateHandle } from "../index.ts";

const wish = { mode: "device", details: { ...details }, resource: shop } as const;

/** A world in which questions can be asked, whose token endpoint answers a poll with the next of these. */
function askingWorld(...answers: (string | number | Error)[]): {
  world: World;
  waits: number[];
  options: Partial<AgentOptions>;
} {
  const world = makeWorld();
  const metadata = world.handlers.get(`${issuer}/.well-known/oauth-authorization-server`);
  world.handlers.set(`${issuer}/.well-known/oauth-authorization-server`, async (url, init) =>
    withEndpoints(await metadata?.(url, init)),
  );
  const asked = { device_code: "dc-1", user_code: "WDJB-MJHT", verification_uri: `${issuer}/device` };
  world.handlers.set(`${issuer}/oauth/device`, () =>
    Response.json({ ...asked, expires_in: 600, interval: 5 }),
  );
  world.handlers.set(`${issuer}/oauth/bc`, () => Response.json({ auth_req_id: "ar-1", expires_in: 300 }));
  world.handlers.set(`${issuer}/oauth/token`, () => {
    const next = answers.shift() ?? "access_denied";
    if (next instanceof Error) throw next;
    if (typeof next === "number") return new Response("down", { status: next });
    return Response.json({ error: next }, { status: 400 });
  });
  const waits: number[] = [];
  const pause = async (ms: number): Promise<void> => void waits.push(ms / 1000);
  return { world, waits, options: { pause } };
}

async function withEndpoints(response: Response | undefined): Promise<Response> {
  const known = Object(await response?.json());
  return Response.json({
    ...known,
    device_authorization_endpoint: `${issuer}/oauth/device`,
    backchannel_authentication_endpoint: `${issuer}/oauth/bc`,
  });
}

describe("waiting for a principal", () => {
  test("keeps the server's interval, and grows it each time it is told to slow down", async () => {
    const { world, waits, options } = askingWorld(
      "authorization_pending",
      "slow_down",
      "authorization_pending",
      "slow_down",
      "access_denied",
    );
    const asked = await world.agent(options).requestMandate(wish);
    expect(asked).toMatchObject({ userCode: "WDJB-MJHT", verificationUriComplete: `${issuer}/device` });
    await expect(asked.wait()).rejects.toMatchObject({ code: "access_denied" });
    expect(waits).toEqual([5, 5, 10, 10, 15]);
  });

  test("goes on through trouble, more slowly each time, and as before once it is over", async () => {
    const { world, waits, options } = askingWorld(
      503,
      new TypeError("fetch failed"),
      429,
      "authorization_pending",
      "expired_token",
    );
    const asked = await world.agent(options).requestMandate(wish);
    await expect(asked.wait()).rejects.toMatchObject({ code: "expired_token" });
    expect(waits).toEqual([5, 10, 20, 40, 5]);
  });

  test("ends when nobody can be reached and the time is over", async () => {
    const { world, options } = askingWorld(503, 503, 503);
    const pause = async (ms: number): Promise<void> => {
      world.at.now = (world.at.now + ms * 60) as typeof world.at.now;
    };
    const asked = await world.agent({ ...options, pause }).requestMandate(wish);
    await expect(asked.wait()).rejects.toMatchObject({ status: 503 });
  });

  test.each(["invalid_grant", "access_denied", "expired_token", "invalid_client"])(
    "ends with %s",
    async (error) => {
      const { world, waits, options } = askingWorld(error);
      const asked = await world.agent(options).requestMandate(wish);
      await expect(asked.wait()).rejects.toMatchObject({ code: error });
      expect(waits).toHaveLength(1);
    },
  );

  test("is called off at once, and taken up again from the handle as it was stored", async () => {
    const { world, options } = askingWorld("access_denied");
    const forever = () => new Promise<void>(() => undefined);
    const asked = await world.agent({ ...options, pause: forever }).requestMandate(wish);
    const controller = new AbortController();
    const waiting = asked.wait(controller.signal);
    await expect(asked.wait()).rejects.toMatchObject({ code: "invalid_request" });
    controller.abort(new RangeError("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(asked.wait(controller.signal)).rejects.toThrow("enough");
    const stored = JSON.parse(JSON.stringify(asked.handle)) as MandateHandle; // as a caller reads it back
    const later = world.agent(options).resumeMandate(stored);
    await expect(later.wait()).rejects.toMatchObject({ code: "access_denied" });
    const poll = world.seen.findLast(({ step }) => step === "poll")?.request.body;
    expect(new URLSearchParams(poll).get("device_code")).toBe("dc-1");
  });

  test("is refused for a handle that is none, and where the server does not offer it", async () => {
    const { world, options } = askingWorld();
    const agent = world.agent(options);
    const handle = { mode: "device", code: "", resource: shop, intervalS: 5, expiresAtS: 0 } as const;
    expect(() => agent.resumeMandate(handle)).toThrow(/handle/);
    expect(() => agent.resumeMandate({ ...handle, code: "x", intervalS: 0 })).toThrow(/handle/);
    await expect(makeWorld().agent().requestMandate(wish)).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("asks a person by name, with plain words and for no longer than said", async () => {
    const { world, options } = askingWorld("access_denied");
    const agent = world.agent(options);
    const asked = await agent.requestMandate({
      ...wish,
      mode: "ciba",
      loginHint: "ada@example.com",
      bindingMessage: "Order 17",
      expiresInS: 300,
    });
    await expect(asked.wait()).rejects.toMatchObject({ code: "access_denied" });
    const form = new URLSearchParams(world.seen.findLast(({ step }) => step === "ask person")?.request.body);
    expect(Object.fromEntries(form)).toMatchObject({
      scope: "openid oid4ac:payment",
      login_hint: "ada@example.com",
      binding_message: "Order 17",
      requested_expiry: "300",
    });
    expect(JSON.parse(form.get("authorization_details") ?? "")).toEqual([wish.details]);
  });
});
