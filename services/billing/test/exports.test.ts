import { after, dayMs, instantOf, newId, secondMs, systemClock, toNumericDate } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lateCapturesMs, wordOf } from "../src/exports/exports.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** Calls the sandbox as whoever issues tokens with Remit's key, and as the seller who is paid with them. */
async function stripe(at: string, fields: Record<string, string>): Promise<Record<string, unknown>> {
  const answer = await fetch(stage.sandbox.origin + at, {
    method: "POST",
    headers: { authorization: "Bearer sk_test_remit", "stripe-version": "2026-07-29.preview" },
    body: new URLSearchParams(fields),
  });
  const body: unknown = await answer.json();
  expect(answer.status, JSON.stringify(body)).toBe(200);
  return Object(body);
}

const issue = async (fields: Record<string, string>): Promise<string> =>
  String(
    (
      await stripe("/v1/shared_payment/issued_tokens", {
        payment_method: "pm_card_visa",
        "usage_limits[currency]": "eur",
        "usage_limits[max_amount]": "1000",
        "usage_limits[expires_at]": String(toNumericDate(after(systemClock.now(), dayMs))),
        "seller_details[network_id]": "internal",
        ...fields,
      })
    )["id"],
  );

const pay = (token: string, amount: number) =>
  stripe("/v1/payment_intents", {
    amount: String(amount),
    currency: "eur",
    confirm: "true",
    shared_payment_granted_token: token,
    "automatic_payment_methods[enabled]": "true",
    "automatic_payment_methods[allow_redirects]": "never",
  });

const toldOf = (id: string) =>
  stage.issuer.toldOfExports
    .filter(({ path }) => path.includes(id))
    .map(({ path, body }) => ({ verb: path.split("/").at(-1), body }));

describe("a token that was issued for an export", () => {
  test("is told of as it is used, and closes its export once all of it was taken", async () => {
    const id = newId("charge");
    const token = await issue({ "shared_metadata[remit_export]": id });
    await pay(token, 400);
    await eventually(() =>
      expect(toldOf(id).at(-1)).toEqual({ verb: "uses", body: { token, used_minor: 400 } }),
    );
    await pay(token, 600);
    const closed = { verb: "close", body: { because: "used", used_minor: 1_000, token } };
    await eventually(() => expect(toldOf(id).at(-1)).toEqual(closed));
  });

  test("that was taken back is told of with what was taken so far, and closes nothing yet", async () => {
    const id = newId("charge");
    const token = await issue({ "shared_metadata[remit_export]": id });
    await pay(token, 300);
    await stripe(`/v1/shared_payment/issued_tokens/${token}/revoke`, {});
    await eventually(() =>
      expect(toldOf(id).at(-1)).toEqual({ verb: "uses", body: { token, used_minor: 300 } }),
    );
    const jobs = () =>
      stage.database.asAdmin<{ days: number }>(
        "select extract(epoch from run_at - now())::integer / 86400 as days from jobs where queue = 'exports.follow' and key = $1",
        [token],
      );
    await eventually(async () => expect(await jobs()).toEqual([{ days: 6 }]));
    expect(toldOf(id).some(({ verb }) => verb === "close")).toBe(false);
  });

  test("is ended at Stripe at the authorization server's word, once, and for its own export alone", async () => {
    const id = newId("charge");
    const token = await issue({ "shared_metadata[remit_export]": id });
    await pay(token, 300);
    const revoke = (of: string, name = token) =>
      stage.call("POST", `/api/v1/issued-tokens/${name}/revoke`, {
        scope: "payments:execute",
        body: { export: of },
      });
    expect((await revoke(newId("charge"))).status).toBe(404);
    expect((await revoke(id, "spt_unknown")).status).toBe(404);
    await pay(token, 100);
    // Stripe's answer is lost: read back, it is ended all the same.
    await stage.sandbox.fail("issued_tokens.revoke", { action: "error_500_after_effect", times: 1 });
    const answers = [await revoke(id), await revoke(id)];
    expect(answers.at(-1)).toMatchObject({ status: 200, body: { revoked_at: expect.any(String) } });
    const refused = await fetch(`${stage.sandbox.origin}/v1/payment_intents`, {
      method: "POST",
      headers: { authorization: "Bearer sk_test_remit", "stripe-version": "2026-07-29.preview" },
      body: new URLSearchParams({
        amount: "100",
        currency: "eur",
        confirm: "true",
        shared_payment_granted_token: token,
      }),
    });
    expect(refused.status).toBe(400);
    await eventually(() =>
      expect(toldOf(id).at(-1)).toEqual({ verb: "uses", body: { token, used_minor: 400 } }),
    );
  });

  test("for none is told to nobody", async () => {
    const before = stage.issuer.toldOfExports.length;
    const token = await issue({});
    await pay(token, 1_000);
    const id = newId("charge");
    const other = await issue({ "shared_metadata[remit_export]": id });
    await pay(other, 1_000);
    await eventually(() => expect(toldOf(id)).not.toEqual([]));
    expect(stage.issuer.toldOfExports.slice(before).every(({ path }) => path.includes(id))).toBe(true);
  });
});

describe("what is told of a token", () => {
  const now = systemClock.now();
  const token = {
    id: "spt_1",
    metadata: {},
    capturedMinor: 250,
    expiresAt: after(now, dayMs),
    over: undefined,
  };
  const uses = { verb: "uses", body: { token: "spt_1", used_minor: 250 } };
  const over = (because: "consumed" | "expired" | "resolved" | "revoked", agoMs: number) =>
    wordOf({ ...token, over: { at: instantOf(now - agoMs), because } }, now);

  test("while it may be used: what was taken so far, and again when it ends", () => {
    expect(wordOf(token, now)).toEqual({ ...uses, lookAt: after(now, dayMs + secondMs) });
    expect(wordOf({ ...token, expiresAt: undefined }, now)).toEqual({ ...uses, lookAt: undefined });
  });

  test.each(["expired", "resolved", "revoked"] as const)(
    "that is %s: its export ends when nothing authorised before can be captured any more, not a moment earlier",
    (because) => {
      expect(over(because, lateCapturesMs - 1)).toEqual({ ...uses, lookAt: after(now, 1) });
      const closed = { because: because === "resolved" ? "used" : because, used_minor: 250, token: "spt_1" };
      expect(over(because, lateCapturesMs)).toEqual({ verb: "close", body: closed });
    },
  );

  test("that is past its end and not marked so yet: as of one that has expired, and nobody looks without a rest", () => {
    const [endedAt, longAgo] = [instantOf(now - 1), instantOf(now - lateCapturesMs)];
    const past = wordOf({ ...token, expiresAt: endedAt }, now);
    expect(past).toEqual({ ...uses, lookAt: after(endedAt, lateCapturesMs) });
    const closed = { because: "expired", used_minor: 250, token: "spt_1" };
    expect(wordOf({ ...token, expiresAt: longAgo }, now)).toEqual({ verb: "close", body: closed });
  });

  test("of which all was taken: its export ends at once", () => {
    expect(over("consumed", 0)).toMatchObject({ verb: "close", body: { because: "used", used_minor: 250 } });
  });
});
