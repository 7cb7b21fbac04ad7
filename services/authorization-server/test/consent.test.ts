import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Browser, formOf } from "./browser.ts";
import { newClient, type OAuthClient } from "./client.ts";
import {
  approve,
  authorizeUrl,
  exchange,
  mandateRequest,
  newAsking,
  obtainCode,
  openConsent,
  pushedForm,
  redirectUri,
  shop,
} from "./consent.ts";
import { type Running, startServer } from "./running.ts";

let running: Running;
let agent: OAuthClient;

beforeAll(async () => {
  running = await startServer();
  agent = await newClient(running, "agent");
});
afterAll(() => running.close());

const claimsOf = (token: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString("utf8"));

describe("a mandate is given on the consent page", () => {
  test("the principal reads what the agent may spend, allows it, and the agent gets token and mandate", async () => {
    const asking = newAsking();
    const pushed = await agent.post("/oauth/par", pushedForm(asking));
    expect(pushed).toMatchObject({ status: 201, body: { expires_in: 60 } });
    const browser = new Browser();
    const page = await openConsent(browser, authorizeUrl(running, agent.id, pushed.body["request_uri"]));
    for (const words of [
      "“Test agent”",
      "500.00 EUR",
      "At most 100.00 EUR for each purchase.",
      shop,
      "Paid with your default card.",
      "127.0.0.1",
      "Nobody has verified this name",
    ])
      expect(page.html).toContain(words);
    const answer = await approve(browser, page);
    expect(answer.searchParams.get("iss")).toBe(running.issuer);
    expect(answer.searchParams.get("state")).toBe(asking.state);
    const code = answer.searchParams.get("code") ?? "";
    const tokens = await exchange(agent, { asking, code, answer });
    expect(tokens.body).toMatchObject({ token_type: "DPoP", expires_in: 300, scope: "oid4ac:payment" });
    expect(claimsOf(tokens.body["access_token"])).toMatchObject({
      aud: shop,
      client_id: agent.id,
      mandate_id: tokens.body["mandate_id"],
      act: { sub: agent.id },
      // The merchant learns which mandate, and none of its limits.
      authorization_details: [{ type: "oid4ac_mandate", mandate_id: tokens.body["mandate_id"] }],
    });
    expect(claimsOf(tokens.body["access_token"])["sub"]).not.toContain(running.account);
    expect(String(tokens.body["mandate_jwt"])).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+~.*~$/);
    expect(typeof tokens.body["refresh_token"]).toBe("string");
  });

  test("A16 a yes more than five minutes after its sign-in gives nothing and uses nothing up: it is asked again", async () => {
    const asker = await newClient(running, "agent");
    const asking = newAsking();
    const pushed = await asker.post("/oauth/par", pushedForm(asking));
    const browser = new Browser();
    const page = await openConsent(browser, authorizeUrl(running, asker.id, pushed.body["request_uri"]));
    await running.database.asAdmin(
      "update sessions set authenticated_at = now() - interval '301 seconds' where ended_at is null",
    );
    const { action, fields } = formOf(page);
    const again = await browser.open(action, redirectUri, { ...fields, decision: "approve" });
    expect(again).toMatchObject({ status: 200 });
    expect(again.html).toContain("500.00 EUR");
    const mandates = () =>
      running.database.asAdmin("select state from mandates where agent_id = $1", [asker.id]);
    expect(await mandates()).toEqual([]);
    const answer = await approve(browser, again);
    const code = answer.searchParams.get("code") ?? "";
    expect((await exchange(asker, { asking, code, answer })).status).toBe(200);
    expect(await mandates()).toEqual([{ state: "active" }]);
  });

  test("an agent that asks for no mandate in particular is refused", async () => {
    const { authorization_details: _, ...form } = pushedForm(newAsking());
    const answer = await agent.post("/oauth/par", form);
    expect(answer).toMatchObject({ status: 400, body: { error: "invalid_authorization_details" } });
  });

  test.each([
    ["none", "[]"],
    ["two", JSON.stringify([mandateRequest, mandateRequest])],
    ["one without its list", JSON.stringify(mandateRequest)],
    ["one named twice", JSON.stringify([mandateRequest]).replace("{", '{"amount_minor":1,')],
    ["null", "null"],
    ["nothing", ""],
    ["no JSON", "[{"],
    ["one of another type", JSON.stringify([{ ...mandateRequest, type: "payment_initiation" }])],
  ])(
    "A06 an agent that asks for %s where one mandate belongs is refused at its request",
    async (_, details) => {
      const answer = await agent.post(
        "/oauth/par",
        pushedForm(newAsking(), { authorization_details: details }),
      );
      expect(answer).toMatchObject({ status: 400, body: { error: "invalid_authorization_details" } });
      expect(answer.body["request_uri"]).toBeUndefined();
    },
  );

  test("A06 what the browser adds to the address takes no mandate off the consent page", async () => {
    const { body } = await agent.post("/oauth/par", pushedForm(newAsking()));
    const url = `${authorizeUrl(running, agent.id, body["request_uri"])}&authorization_details=%5B%5D`;
    expect((await openConsent(new Browser(), url)).html).toContain("500.00 EUR");
  });

  test("a refresh gives a new pair and no second mandate", async () => {
    const tokens = await exchange(agent, await obtainCode(running, agent));
    const refreshed = await agent.post("/oauth/token", {
      grant_type: "refresh_token",
      refresh_token: String(tokens.body["refresh_token"]),
    });
    expect(refreshed.status).toBe(200);
    expect(refreshed.body["mandate_jwt"]).toBeUndefined();
    expect(refreshed.body["refresh_token"]).not.toBe(tokens.body["refresh_token"]);
    expect(claimsOf(refreshed.body["access_token"])["mandate_id"]).toBe(tokens.body["mandate_id"]);
  });
});
