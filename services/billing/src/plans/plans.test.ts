import { after, dayMs, hourMs, instantOf, secondMs } from "@remit/kernel";
import { planSchedule } from "@remit/protocol";
import { describe, expect, test } from "vitest";
import type { SubscriptionSeen } from "../stripe/index.ts";
import { nextLook, type Plan, planAfter } from "./plans.ts";
import { returnUrlsOf } from "./return-urls.ts";

const now = instantOf(1_764_000_000_000);
const free: Plan = {
  tier: "free",
  version: 0,
  ownLimits: undefined,
  source: "subscription",
  subscription: undefined,
  status: undefined,
  periodEnd: undefined,
  endsWithPeriod: false,
  readNo: 0n,
};
const seen: SubscriptionSeen = {
  subscription: "sub_1",
  customer: "cus_1",
  tier: "pro",
  status: "active",
  periodEnd: after(now, secondMs),
  endsWithPeriod: false,
};
const pro = planAfter(free, seen, 1n) ?? free;

describe("what Stripe says of a subscription", () => {
  test("gives its tier while it lives, also while a payment is asked for again", () => {
    expect(pro).toMatchObject({ tier: "pro", subscription: "sub_1", status: "active" });
    expect(planAfter(pro, { ...seen, status: "past_due" }, 2n)?.tier).toBe("pro");
  });

  test.each(["canceled", "unpaid", "incomplete", "incomplete_expired", "paused", "something_new"])(
    "%s gives no tier",
    (status) => expect(planAfter(pro, { ...seen, status }, 2n)?.tier).toBe("free"),
  );

  test("of another subscription changes nothing while the first one lives, and counts after it", () => {
    const other = { ...seen, subscription: "sub_2" };
    expect(planAfter(pro, { ...other, status: "canceled" }, 2n)).toBeUndefined();
    expect(planAfter(pro, other, 2n)).toBeUndefined();
    const ended = planAfter(pro, { ...seen, status: "canceled" }, 2n) ?? pro;
    expect(planAfter(ended, other, 2n)).toMatchObject({ tier: "pro", subscription: "sub_2" });
    expect(planAfter(ended, { ...other, status: "incomplete" }, 2n)).toBeUndefined();
  });

  test("that no longer says what was bought leaves the tier of the one we have, and gives none to another", () => {
    const unsaid = { ...seen, tier: undefined };
    expect(planAfter(pro, { ...unsaid, status: "past_due" }, 2n)?.tier).toBe("pro");
    expect(planAfter(pro, { ...unsaid, status: "canceled" }, 2n)?.tier).toBe("free");
    expect(planAfter(free, unsaid, 2n)).toBeUndefined();
  });

  test("takes nothing from a plan by agreement", () => {
    const agreed: Plan = { ...free, tier: "enterprise", source: "agreement", ownLimits: planSchedule.pro };
    expect(planAfter(agreed, { ...seen, status: "canceled" }, 2n)).toBeUndefined();
  });
});

describe("though no news comes, Stripe is asked again", () => {
  test.each([
    ["within a day", 30 * dayMs, dayMs],
    ["at the end of the period", hourMs, hourMs],
    ["every hour until a period that is over has brought another", -secondMs, hourMs],
  ])("%s", (_, endsInMs, inMs) => {
    expect(nextLook({ periodEnd: after(now, endsInMs) }, now)).toBe(after(now, inMs));
  });
});

describe("where Checkout returns to", () => {
  const allowed = ["https://portal.example", "http://localhost:3001"];
  const check = (successUrl: string): string =>
    returnUrlsOf(allowed, { successUrl, cancelUrl: undefined }).successUrl;

  test("an address of an allowed origin, or the account's page", () => {
    expect(check("https://portal.example/plan?x=1")).toBe("https://portal.example/plan?x=1");
    expect(check("http://localhost:3001/")).toBe("http://localhost:3001/");
    expect(returnUrlsOf(allowed, { successUrl: undefined, cancelUrl: undefined }).cancelUrl).toBe(
      "https://portal.example/account?plan=unchanged",
    );
  });

  test.each([
    "https://evil.example/",
    "https://portal.example.evil.example/",
    "https://portal.example@evil.example/",
    "https://portal.example:444/",
    "http://portal.example/",
    "//portal.example/",
    "/plan",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://portal.example\\@evil.example/",
    "https:\\\\portal.example/",
    "https://evil.example\\.portal.example/",
    " https://portal.example/",
    "https://portal.example/\n",
    "https://user:pass@portal.example/",
    "https://PORTAL.example.",
    "",
  ])("%j is refused (open redirect)", (url) => {
    expect(() => check(url)).toThrow(expect.objectContaining({ code: "return_url_refused" }));
  });
});
